"""What the exporter and the peer script share: drawn media, tiny checkpoints, the reference call path, fixtures."""
