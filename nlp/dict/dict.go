// Package dict carries the segmenter's general dictionary inside the program, so
// that a release runs on a machine without a Go module cache.
//
// A release build first packs gojieba's own files ([Pack], run by nlp/dict/gen)
// and embeds them with the build tag embeddict; without the tag nothing is
// embedded, and the segmenter reads the module cache, so that a fresh clone needs
// Go only. The library loads half a dictionary without a word when its file is
// cut short, and ends the process at a bad model; therefore every file is checked
// against its SHA-256 when it is packed and again when it is opened.
package dict

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Module is the module the files come from, Folder where they are in it.
const (
	Module = "github.com/yanyiwu/gojieba"
	Folder = "deps/cppjieba/dict"
)

// ErrDamaged says that a file is missing or not the one the program was made for.
var ErrDamaged = errors.New("the segmenter's dictionary is damaged")

// carried is one packed file: its name in the module, its size in bytes and its
// SHA-256, both unpacked.
type carried struct {
	name string
	size int64
	sum  string
}

// Of gojieba v1.4.7. A test compares them with the module in go.mod.
var (
	dictFile = carried{"jieba.dict.utf8", 5071204, "3043b77068e09c9904f27cad82f12b6ebe9dbdb5aeff3b25e45ab7f9c1122b55"}
	hmmFile  = carried{"hmm_model.utf8", 519739, "f17790586ac86dd048c8adffed052c4bd2b28ed0682972c1275e59040c0589a7"}
	userFile = carried{"user.dict.utf8", 49, "495bbf49270408a1234690e1e6a97328f30a482a7a72aa769e8a12e8714b0c62"}
	stopFile = carried{"stop_words.utf8", 8974, "b788b8a939d2e2fe079abd579ea98f12f9fb84370bfd0dddd81bb9381f7ab42c"}
)

// all lists them, the largest last: its packed copy is the newest one, which is
// what make looks at.
func all() []carried { return []carried{hmmFile, userFile, stopFile, dictFile} }

// idfStub stands for the keyword weights, which only Extract needs and nothing
// here calls: 6 MB less in the program and 20 MB less of memory.
const idfStub = "\u7684 1.0\n"

// Files are paths for the segmenter, with the same fields as nlp.DictFiles. They
// hold until the function that [Open] returned is called.
type Files struct {
	Dict, HMM, User, IDF, Stop string
	// ID names the content, because the paths differ from one Open to the next.
	ID string
}

// Pack writes compressed copies of the module's files, which from holds, into the
// directory to. A file that is not the expected one is an [ErrDamaged].
func Pack(from fs.FS, to string) error {
	for _, c := range all() {
		raw, err := fs.ReadFile(from, c.name)
		if err != nil {
			return fmt.Errorf("pack the dictionary: %w", err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != c.sum {
			return fmt.Errorf("%w: %s is not the file of the version this program knows", ErrDamaged, c.name)
		}
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return fmt.Errorf("pack the dictionary: %w", err)
		}
		if _, err := z.Write(raw); err != nil {
			return fmt.Errorf("pack the dictionary: %w", err)
		}
		if err := z.Close(); err != nil {
			return fmt.Errorf("pack the dictionary: %w", err)
		}
		if err := os.WriteFile(filepath.Join(to, c.name+".gz"), packed.Bytes(), 0o600); err != nil {
			return fmt.Errorf("pack the dictionary: %w", err)
		}
	}
	return nil
}

// Open unpacks what from holds, normally [Embedded], and returns the paths for the
// segmenter: in memory where the system can, otherwise temporary files. done gives
// them back; call it once the segmenter has been made. A nil from is no error: the
// Files are zero, which stands for the module cache. A missing or cut file is an
// [ErrDamaged]. It is safe for concurrent use.
func Open(from fs.FS) (files Files, done func(), err error) {
	if from == nil {
		return Files{}, func() {}, nil
	}
	var closers []func()
	done = func() {
		for _, c := range closers {
			c()
		}
		closers = nil
	}
	defer func() {
		if err != nil {
			done()
			files, done = Files{}, func() {}
		}
	}()
	put := func(name string, content io.Reader) string {
		if err != nil {
			return ""
		}
		var path string
		var closer func()
		if path, closer, err = place(name, content); err == nil {
			closers = append(closers, closer)
		}
		return path
	}
	id := sha256.New()
	unpack := func(c carried) string {
		if err != nil {
			return ""
		}
		var raw *checked
		if raw, err = c.open(from); err != nil {
			return ""
		}
		path := put(c.name, raw)
		if err == nil {
			err = raw.verify()
		}
		// A hash takes everything; its Write never fails.
		_, _ = io.WriteString(id, c.sum)
		return path
	}
	files = Files{
		Dict: unpack(dictFile), HMM: unpack(hmmFile), User: unpack(userFile), Stop: unpack(stopFile),
		IDF: put("idf.utf8", strings.NewReader(idfStub)),
	}
	files.ID = hex.EncodeToString(id.Sum(nil))
	return files, done, err
}

// checked reads an unpacked file and remembers whether it was the right one. An
// end that comes too early is no error of Read, so that place reports only what
// the system refused.
type checked struct {
	carried
	in     io.Reader
	digest hash.Hash
	n      int64
	err    error
}

func (c carried) open(from fs.FS) (*checked, error) {
	packed, err := fs.ReadFile(from, c.name+".gz")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, c.name, err)
	}
	// One byte more than there should be is enough to see that it is too long.
	return &checked{carried: c, in: io.LimitReader(z, c.size+1), digest: sha256.New()}, nil
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	_, _ = c.digest.Write(p[:n]) // a hash takes everything
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	if err != nil {
		err = io.EOF
	}
	return n, err
}

func (c *checked) verify() error {
	switch {
	case c.err != nil:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, c.name, c.err)
	case c.n != c.size || hex.EncodeToString(c.digest.Sum(nil)) != c.sum:
		return fmt.Errorf("%w: %s does not match its checksum", ErrDamaged, c.name)
	}
	return nil
}

// onDisk is for systems without files in memory.
func onDisk(name string, content io.Reader) (path string, done func(), err error) {
	f, err := os.CreateTemp("", "wensheng-*-"+name)
	if err != nil {
		return "", nil, fmt.Errorf("unpack the dictionary: %w", err)
	}
	path = f.Name()
	done = func() { _ = os.Remove(path) } // a leftover does no harm
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		done()
		return "", nil, fmt.Errorf("unpack the dictionary: %w", err)
	}
	return path, done, nil
}
