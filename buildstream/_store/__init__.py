"""The content store: blobs by digest, trees extracted from them, and the records that name them."""
