#!/bin/sh
set -e
# An upgrade restarts the service; only a removal stops it.
case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now leasehold.service
	fi
	;;
esac
