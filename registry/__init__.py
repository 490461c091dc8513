"""The self-hosted platform API and the reviewers' pages: an optional extra that trusts nothing it is told."""
