"""C sources that come with the package: kernels and the firmware of the emulated boards."""
