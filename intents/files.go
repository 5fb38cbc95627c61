package intents

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// formsDir holds the forms a Topic may name.
const formsDir = "forms"

// maxTotal bounds what ReadFiles takes in, in bytes.
const maxTotal = 64 << 20

// Files is a knowledge base as it is written: the content of every file by its
// path, with slashes. The zero value of a map that was made is an empty base.
// Contents are never changed in place, so Clone is cheap and a copy stays what
// it was. A Files is not safe for writing and reading at once.
type Files map[string][]byte

// ReadFiles takes a snapshot of the files Load would read. Others are left
// out: editors' files, read-mes. What is not there is no error; Load takes it
// from the embedded base.
func ReadFiles(fsys fs.FS) (Files, error) {
	out, total := Files{}, 0
	take := func(name string) error {
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			return fmt.Errorf("%s: must be a regular file of at most %d bytes", name, maxFile)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if total += len(text); total > maxTotal || len(out) >= maxFiles {
			return fmt.Errorf("the knowledge base holds more than %d bytes or %d files", maxTotal, maxFiles)
		}
		out[name] = text
		return nil
	}
	for _, name := range []string{signalsFile, builtinsFile, phrasesFile, wordsFile, synonymsFile} {
		if err := take(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for _, dir := range []string{topicsDir, formsDir} {
		err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				if name == dir && errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			case d.IsDir():
				if name != dir && strings.HasPrefix(d.Name(), ".") {
					return fs.SkipDir
				}
				return nil
			case !ours(name):
				return nil
			}
			return take(name)
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ours reports whether a name is of a file that a snapshot holds.
func ours(name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	dir, _, sub := strings.Cut(name, "/")
	if !sub {
		return slices.Contains([]string{signalsFile, builtinsFile, phrasesFile, wordsFile, synonymsFile}, name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	ext := path.Ext(name)
	return (dir == topicsDir || dir == formsDir) && (ext == ".yaml" || ext == ".yml")
}

// Clone returns a copy that can be edited by itself.
func (f Files) Clone() Files { return maps.Clone(f) }

// Names are the paths, sorted.
func (f Files) Names() []string { return slices.Sorted(maps.Keys(f)) }

// FS shows the files as they are now; Load and Draft read it.
func (f Files) FS() fs.FS { return filesFS{f.Clone()} }

// Save writes the files into a directory, which is made where it is missing,
// and removes those of a knowledge base that f does not hold. Each file is
// replaced at once; files that are equal are left alone. Other files stay.
func (f Files) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	old, err := ReadFiles(os.DirFS(dir))
	if err != nil {
		return err
	}
	for _, name := range f.Names() {
		if !ours(name) {
			return fmt.Errorf("%q is not a file of a knowledge base", name)
		}
		if had, ok := old[name]; ok && bytes.Equal(had, f[name]) {
			continue
		}
		if err := replaceFile(filepath.Join(dir, filepath.FromSlash(name)), f[name]); err != nil {
			return err
		}
	}
	for _, name := range old.Names() {
		if _, keep := f[name]; !keep {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceFile writes beside the file and renames, so that a reader sees the old
// text or the new one.
func replaceFile(name string, text []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// filesFS is a Files as a file system.
type filesFS struct{ files Files }

func (f filesFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if text, ok := f.files[name]; ok {
		return &openFile{Reader: *bytes.NewReader(text), entry: entry{path.Base(name), int64(len(text)), false}}, nil
	}
	children := map[string]entry{}
	prefix := name + "/"
	if name == "." {
		prefix = ""
	}
	for file, text := range f.files {
		rest, in := strings.CutPrefix(file, prefix)
		if !in {
			continue
		}
		first, _, sub := strings.Cut(rest, "/")
		children[first] = entry{first, int64(len(text)), sub}
		if sub {
			children[first] = entry{first, 0, true}
		}
	}
	if len(children) == 0 && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	d := &openDir{entry: entry{path.Base(name), 0, true}}
	for _, child := range slices.Sorted(maps.Keys(children)) {
		d.children = append(d.children, children[child])
	}
	return d, nil
}

// entry is a file or directory of a filesFS.
type entry struct {
	name string
	size int64
	dir  bool
}

func (e entry) Name() string               { return e.name }
func (e entry) Size() int64                { return e.size }
func (e entry) ModTime() time.Time         { return time.Time{} }
func (e entry) IsDir() bool                { return e.dir }
func (e entry) Sys() any                   { return nil }
func (e entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

type openFile struct {
	bytes.Reader
	entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Size() int64                { return f.entry.size }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	entry
	children []entry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	take := len(d.children)
	if n > 0 {
		if take == 0 {
			return nil, io.EOF
		}
		take = min(n, take)
	}
	out := make([]fs.DirEntry, take)
	for i := range out {
		out[i] = d.children[i]
	}
	d.children = d.children[take:]
	return out, nil
}
