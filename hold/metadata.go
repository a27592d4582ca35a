package hold

import (
	"context"
	"strconv"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// writeMetadata writes the epoch and the description of the holder to the metadata, under the
// lease. It goes on until that is done, the lock ends, or ctx does.
//
// Why the epoch can only rise: it is written with the lease ID, so the service refuses it once the
// lease has ended, and, on a blob, with the ETag under which its predecessor was read, so that a
// copy of the request that comes late changes nothing. On a container, which knows no ETag
// conditions, all copies of the request say the same number.
func (l *Lock) writeMetadata(ctx context.Context) error {
	fromServer := l.epoch > 0
	if l.o.Describe == nil && (!l.o.Epoch || fromServer) {
		return nil
	}
	var me *Holder
	if l.o.Describe != nil {
		me = new(*l.o.Describe)
		_, now := l.c.meter.clock.now()
		me.Since = now.UTC()
	}
	for n := 1; ; n++ {
		err := l.c.attempt(ctx, 2*maxTry, func(ctx context.Context) error { return l.writeMetadataOnce(ctx, me, !fromServer) })
		switch {
		case err == nil:
			return nil
		case l.ctx.Err() != nil:
			return context.Cause(l.ctx)
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err) && !bloberror.HasCode(err, bloberror.ConditionNotMet):
			return l.c.describe("write metadata", err)
		}
		l.c.meter.sleepUntil(ctx, l.c.meter.now().add(pauseFor(n)))
	}
}

func (l *Lock) writeMetadataOnce(ctx context.Context, me *Holder, count bool) error {
	i, err := l.c.look(ctx)
	if err != nil {
		return err
	}
	meta := make(map[string]*string, len(i.Metadata)+2)
	for k, v := range i.Metadata {
		meta[k] = &v
	}
	if me != nil {
		meta[metaHolder] = new(me.encode())
	}
	if l.o.Epoch && count {
		// A number that an earlier try chose is kept unless the metadata have a higher one: if they
		// have the same, it was written by that try.
		if l.epoch == 0 || i.Epoch > l.epoch {
			l.epoch = i.Epoch + 1
		}
		meta[metaEpoch] = new(strconv.FormatUint(l.epoch, 10))
	}
	return l.c.t.r.setMetadata(ctx, meta, l.id, i.ETag)
}
