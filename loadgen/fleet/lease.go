package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// A lease is the right to coordinate a fleet: a key that lapses unless it is renewed. Its term is the revision with
// which it was made. A later one is greater, and workers obey the greatest, once they have found it in the store: a
// coordinator that slept through its end is not obeyed when it wakes.
type lease struct {
	kv       jetstream.KeyValue
	again    func(context.Context) (jetstream.KeyValue, error) // opens it anew
	key      string
	value    leaseValue
	revision uint64
}

type leaseValue struct {
	Holder string `json:"holder"`
	Nonce  string `json:"nonce"`
	Term   uint64 `json:"term"` // 0: it is being made
}

const (
	leaseKey   = "coordinator"
	leaseFor   = 6 * time.Second // without being renewed
	renewEvery = 1500 * time.Millisecond
)

// openLeases opens the bucket of the fleet's lease; with create it is made where there is none.
func openLeases(ctx context.Context, js jetstream.JetStream, n names, create, inMemory bool) (jetstream.KeyValue,
	error) {
	if !create {
		return js.KeyValue(ctx, n.store())
	}
	storage := jetstream.FileStorage
	if inMemory {
		storage = jetstream.MemoryStorage
	}
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: n.store(), Description: "servegauge: who coordinates", TTL: leaseFor, History: 1, Storage: storage,
	})
}

// takeLease takes it, or returns a *BusyError once the one who has it has renewed it. One who has gone does not.
func takeLease(
	ctx context.Context, open func(context.Context) (jetstream.KeyValue, error), n names, holder string,
) (*lease, error) {
	kv, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("the fleet's key-value bucket (the NATS server needs JetStream): %w", err)
	}
	l := &lease{kv: kv, again: open, key: leaseKey, value: leaseValue{Holder: holder, Nonce: nuid.Next()}}
	var first jetstream.KeyValueEntry
	for {
		err := l.create(ctx)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return nil, fmt.Errorf("to coordinate the fleet: %w", err)
		}
		entry, err := kv.Get(ctx, leaseKey)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			continue
		case err != nil:
			return nil, fmt.Errorf("to coordinate the fleet: %w", err)
		case first == nil:
			first = entry
		case entry.Revision() > first.Revision()+1: // more than the making of it, which is two revisions
			var other leaseValue
			if decode(entry.Value(), &other) != nil {
				other.Holder = "somebody"
			}
			return nil, &BusyError{Fleet: n.fleet, Holder: fmt.Sprintf("%.200q", other.Holder)}
		}
		select {
		case <-time.After(renewEvery / 3):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (l *lease) create(ctx context.Context) error {
	l.value.Term = 0
	data, _ := json.Marshal(l.value)
	revision, err := l.kv.Create(ctx, l.key, data)
	if err != nil {
		return err
	}
	l.value.Term, l.revision = revision, revision
	return l.update(ctx)
}

func (l *lease) update(ctx context.Context) error {
	data, _ := json.Marshal(l.value)
	revision, err := l.kv.Update(ctx, l.key, data, l.revision)
	if err == nil {
		l.revision = revision
	}
	return err
}

// renew renews it. Where it has lapsed meanwhile, and nobody has taken it, it is taken anew, with another term. Only a
// *BusyError says that it is another's; any other error is of the way to the store.
func (l *lease) renew(ctx context.Context, n names) error {
	err := l.update(ctx)
	if err == nil {
		return nil
	}
	entry, getErr := l.kv.Get(ctx, l.key)
	if getErr != nil && !errors.Is(getErr, jetstream.ErrKeyNotFound) { // the server may have lost the bucket
		kv, err := l.again(ctx)
		if err != nil {
			return err
		}
		l.kv = kv
		entry, getErr = kv.Get(ctx, l.key)
	}
	if errors.Is(getErr, jetstream.ErrKeyNotFound) {
		return l.create(ctx)
	}
	if getErr != nil {
		return err
	}
	var now leaseValue
	if decode(entry.Value(), &now) == nil && now.Nonce == l.value.Nonce { // ours, of which the answer was lost
		l.revision = entry.Revision()
		return nil
	}
	return &BusyError{Fleet: n.fleet, Holder: fmt.Sprintf("%.200q", now.Holder)}
}

// release lets another take it at once. One that is another's by now is left alone.
func (l *lease) release(ctx context.Context) error {
	err := l.kv.Purge(ctx, l.key, jetstream.LastRevision(l.revision))
	if err == nil {
		return nil
	}
	entry, getErr := l.kv.Get(ctx, l.key)
	var now leaseValue
	if errors.Is(getErr, jetstream.ErrKeyNotFound) ||
		getErr == nil && (decode(entry.Value(), &now) != nil || now.Nonce != l.value.Nonce) {
		return nil
	}
	if getErr != nil {
		return err
	}
	return l.kv.Purge(ctx, l.key, jetstream.LastRevision(entry.Revision())) // ours, renewed without our being told
}

// claims is what an order says of who coordinates.
func (o *order) claims() leaseValue { return leaseValue{Holder: o.Holder, Term: o.Term} }

// holds reports whether an order is of the one who coordinates.
func holds(ctx context.Context, kv jetstream.KeyValue, o *order) (bool, error) {
	entry, err := kv.Get(ctx, leaseKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var now leaseValue
	return decode(entry.Value(), &now) == nil && now.Term == o.Term && now.Holder == o.Holder, nil
}
