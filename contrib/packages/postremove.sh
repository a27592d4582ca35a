#!/bin/sh
set -e
# The data in /var/lib/leasehold is never removed.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
