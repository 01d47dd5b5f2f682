"""One file per schema version; released files never change."""
