"""The media plane over rtpengine daemons: see "rtpengine" in media/README.md."""
