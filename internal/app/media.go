package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"wensheng/channels/wechat"
	"wensheng/internal/chat"
	"wensheng/internal/pii"
)

// media keeps the files contacts send, sealed, one file each under data/media.
// A file is written whole beside its name and then renamed, so a crash leaves
// either nothing or all of it.
type media struct {
	dir    string
	sealer *pii.Sealer
	limit  int64
}

func (a *App) newMedia() *media {
	return &media{
		dir: filepath.Join(a.cfg.Data, "media"), sealer: a.sealer, limit: int64(a.cfg.Limits.MediaBytes),
	}
}

// Get returns the bytes kept under ref; chat.ErrNotFound when there are none.
func (m *media) Get(_ context.Context, ref string) ([]byte, error) {
	if !refPattern.MatchString(ref) {
		return nil, chat.ErrNotFound
	}
	sealed, err := os.ReadFile(m.path(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, chat.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	plain, err := m.sealer.Open(sealed)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	return plain, nil
}

func (m *media) path(ref string) string { return filepath.Join(m.dir, ref[len(ref)-2:], ref) }

var refPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{8,80}$`)

// Put implements wechat.MediaStore.
func (m *media) Put(_ context.Context, f wechat.MediaFile, r io.Reader) (err error) {
	if !refPattern.MatchString(f.Ref) {
		return errors.New("media: the reference is not one of ours")
	}
	if f.Size > m.limit {
		return fmt.Errorf("media: %d bytes, the limit is %d", f.Size, m.limit)
	}
	plain, err := io.ReadAll(io.LimitReader(r, m.limit+1))
	if err != nil {
		return err
	}
	if int64(len(plain)) > m.limit {
		return fmt.Errorf("media: over the limit of %d bytes", m.limit)
	}
	path := m.path(f.Ref)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	if _, err = tmp.Write(m.sealer.Seal(plain)); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
