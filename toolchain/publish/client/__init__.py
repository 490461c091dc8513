"""A client of the platform's API: typed, retrying what is safe to retry, with the HTTP library behind one seam."""
