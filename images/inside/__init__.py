"""Programs that run only inside build containers, by the image's own interpreter; never imported on the host."""
