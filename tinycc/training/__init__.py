"""Training on the device: what trains, its gradients, and the step that a microcontroller takes."""
