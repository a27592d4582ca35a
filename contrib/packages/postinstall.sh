#!/bin/sh
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers leasehold.conf
elif ! getent passwd leasehold >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/leasehold --shell /usr/sbin/nologin leasehold
fi
chgrp -R leasehold /etc/leasehold
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart leasehold.service
fi
