"""The messages and services of the wire formats, as `.proto` files and the modules generated from them."""
