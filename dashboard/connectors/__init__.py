"""One module per connection type: what its details mean, which are safe to show, how to fetch."""
