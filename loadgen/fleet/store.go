package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A store keeps levels and the results of their shards in a stream, from where they can be read more than once. What is
// larger than a message may be is several; the first that is written of anything stays, so that a message which is sent
// again, or by somebody else, changes nothing.
type store struct {
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	names  names
}

const (
	keptFor    = 24 * time.Hour // what nobody has purged; how much there may be is for the server to say
	mostPart   = 256 << 10      // bytes of a message
	mostParts  = 4096           //
	mostStored = 256 << 20      // bytes of a result, uncompressed

	headerParts = "Servegauge-Parts"
	headerSum   = "Servegauge-Sha256"
)

// errNothing says that nothing is kept there.
var errNothing = errors.New("nothing is kept there")

// openStore opens the fleet's store; with make it is made where there is none.
func openStore(ctx context.Context, conn *nats.Conn, n names, create, inMemory bool) (*store, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	s := &store{conn: conn, js: js, names: n}
	if create {
		s.stream, err = s.make(ctx, inMemory)
	} else {
		s.stream, err = js.Stream(ctx, n.store())
	}
	if err != nil {
		return nil, fmt.Errorf("the fleet's stream (the NATS server needs JetStream): %w", err)
	}
	return s, nil
}

// make makes the stream, unless there is one.
func (s *store) make(ctx context.Context, inMemory bool) (jetstream.Stream, error) {
	storage := jetstream.FileStorage
	if inMemory {
		storage = jetstream.MemoryStorage
	}
	return s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: s.names.store(), Description: "servegauge: levels, and the results of their shards",
		Subjects: []string{s.names.kept(">")}, Storage: storage, MaxAge: keptFor,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1, AllowDirect: true,
	})
}

// put keeps v. Over a connection that broke it tries again until ctx is done; what the server refuses, as one that is
// full does, it tries for refusedFor.
func (s *store) put(ctx context.Context, subject string, v any) error {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := json.NewEncoder(zip).Encode(v); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	sum := sha256.Sum256(packed.Bytes())
	text := hex.EncodeToString(sum[:])
	size := mostPart
	if most := int(s.conn.MaxPayload()) / 2; most > 0 {
		size = min(size, most)
	}
	parts := max((packed.Len()+size-1)/size, 1)
	if parts > mostParts {
		return fmt.Errorf("%d bytes are more than can be kept", packed.Len())
	}
	for i := range parts {
		m := nats.NewMsg(subject + "." + strconv.Itoa(i))
		m.Data = packed.Next(size)
		m.Header.Set(headerParts, strconv.Itoa(parts))
		m.Header.Set(headerSum, text)
		if err := s.publish(ctx, m, m.Subject+"."+text); err != nil {
			return err
		}
	}
	return nil
}

const (
	ackLimit = 2 * time.Second
	putPause = 200 * time.Millisecond

	refusedFor = 5 * time.Second

	errCodeStore = 10077 // of several reasons, of which the text tells
)

func (s *store) publish(ctx context.Context, m *nats.Msg, id string) error {
	var refused time.Time // since when
	for {
		attempt, cancel := context.WithTimeout(ctx, ackLimit)
		_, err := s.js.PublishMsg(attempt, m, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		cancel()
		var api *jetstream.APIError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &api) && api.ErrorCode == errCodeStore && strings.Contains(api.Description, "per subject"):
			return nil // it is there
		case api == nil:
			refused = time.Time{}
		case refused.IsZero():
			refused = time.Now()
		}
		if ctx.Err() != nil || s.conn.IsClosed() || !refused.IsZero() && time.Since(refused) > refusedFor {
			return fmt.Errorf("not kept: %w", err)
		}
		select {
		case <-time.After(putPause):
		case <-ctx.Done():
			return fmt.Errorf("not kept: %w", err)
		}
	}
}

// get reads into v what is kept under a subject; errNothing where nothing, or not all of it, is.
func (s *store) get(ctx context.Context, subject string, v any) error {
	var packed bytes.Buffer
	sum, parts := "", 1
	for i := 0; i < parts; i++ {
		m, err := s.stream.GetLastMsgForSubject(ctx, subject+"."+strconv.Itoa(i))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return errNothing
		}
		if err != nil {
			return err
		}
		if i == 0 {
			sum = m.Header.Get(headerSum)
			if parts, err = strconv.Atoi(m.Header.Get(headerParts)); err != nil || parts < 1 || parts > mostParts {
				return errMessage
			}
		}
		packed.Write(m.Data)
	}
	if got := sha256.Sum256(packed.Bytes()); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("%w: its SHA-256 is another", errMessage)
	}
	zip, err := gzip.NewReader(&packed)
	if err != nil {
		return errMessage
	}
	in := json.NewDecoder(io.LimitReader(zip, mostStored))
	if err := in.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	return nil
}

// forget deletes all levels and results.
func (s *store) forget(ctx context.Context) error {
	return s.stream.Purge(ctx, jetstream.WithPurgeSubject(s.names.kept(">")))
}
