package kb

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// Files are the knowledge files of a version: slash-separated path to content,
// as intents.Files has them.
type Files map[string][]byte

// Bounds of a version's files, so that no version fills memory or the database.
const (
	MaxFiles = 1000
	MaxBytes = 32 << 20 // unpacked, together
)

// ErrFiles says that files are too many, too large, or not what Pack makes.
var ErrFiles = errors.New("knowledge files: too many, too large or damaged")

// Pack makes a zip of the files: equal files, equal bytes.
func (f Files) Pack() ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err == nil {
			_, err = w.Write(f[name])
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return b.Bytes(), nil
}

// Unpack reads what Pack made. Whatever the bytes say, no more than MaxBytes
// are unpacked.
func Unpack(packed []byte) (Files, error) {
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil || len(z.File) > MaxFiles {
		return nil, ErrFiles
	}
	files, left := Files{}, int64(MaxBytes)
	for _, e := range z.File {
		if !fs.ValidPath(e.Name) {
			return nil, ErrFiles
		}
		r, err := e.Open()
		if err != nil {
			return nil, ErrFiles
		}
		text, err := io.ReadAll(io.LimitReader(r, left+1))
		if closed := r.Close(); err != nil || closed != nil {
			return nil, ErrFiles
		}
		if left -= int64(len(text)); left < 0 {
			return nil, ErrFiles
		}
		files[e.Name] = text
	}
	return files, nil
}
