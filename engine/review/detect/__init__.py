"""The detectors: each looks at one side of custody and tells its events. None of them judges."""
