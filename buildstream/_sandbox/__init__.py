"""Running the commands of a build apart from the host: bubblewrap over a root made of stored trees."""
