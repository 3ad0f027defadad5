"""``penstock bench``: each case beside a peer measured in the same run."""
