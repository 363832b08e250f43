"""The engine: declared key state, lifecycle, custody of data keys, review and sandbox."""
