package dict_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/yanyiwu/gojieba"

	"wensheng/nlp/dict"
)

// packed returns what a release embeds, made from the module in go.mod.
func packed(t *testing.T) fstest.MapFS {
	t.Helper()
	dir := t.TempDir()
	if err := dict.Pack(os.DirFS(gojieba.DICT_DIR), dir); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	list, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = &fstest.MapFile{Data: raw}
	}
	return files
}

func TestOpen_GivesTheModulesOwnFiles(t *testing.T) {
	t.Parallel()
	files, done, err := dict.Open(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		files.Dict: gojieba.DICT_PATH, files.HMM: gojieba.HMM_PATH,
		files.User: gojieba.USER_DICT_PATH, files.Stop: gojieba.STOP_WORDS_PATH,
	} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		origin, err := os.ReadFile(want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, origin) {
			t.Errorf("%s differs", filepath.Base(want))
		}
	}
	if raw, err := os.ReadFile(files.IDF); err != nil || string(raw) != "的 1.0\n" {
		t.Errorf("stub = %q, %v", raw, err)
	}
	again, doneAgain, err := dict.Open(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	defer doneAgain()
	if again.ID != files.ID || again.Dict == files.Dict {
		t.Errorf("the second is %+v, the first %+v", again, files)
	}
	done()
	done()
}

func TestOpen_OfNothingStandsForTheModuleCache(t *testing.T) {
	t.Parallel()
	files, done, err := dict.Open(nil)
	if err != nil || files != (dict.Files{}) {
		t.Errorf("files = %+v, err = %v", files, err)
	}
	done()
}

func TestOpen_RefusesADamagedFile(t *testing.T) {
	t.Parallel()
	whole := packed(t)
	const name = "jieba.dict.utf8.gz"
	for what, damage := range map[string]func(fstest.MapFS){
		"missing":   func(m fstest.MapFS) { delete(m, name) },
		"empty":     func(m fstest.MapFS) { m[name] = &fstest.MapFile{} },
		"cut":       func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: whole[name].Data[:len(whole[name].Data)/2]} },
		"another":   func(m fstest.MapFS) { m[name] = whole["hmm_model.utf8.gz"] },
		"half":      func(m fstest.MapFS) { m[name] = repack(t, half(t, gojieba.DICT_PATH)) },
		"too long":  func(m fstest.MapFS) { m["user.dict.utf8.gz"] = repack(t, half(t, gojieba.DICT_PATH)) },
		"not a zip": func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: []byte("plain words")} },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := maps.Clone(whole)
			damage(m)
			files, done, err := dict.Open(m)
			if !errors.Is(err, dict.ErrDamaged) || files != (dict.Files{}) {
				t.Errorf("files = %+v, err = %v, want %v", files, err, dict.ErrDamaged)
			}
			done()
		})
	}
}

func TestOnDisk_LeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path, done, err := dict.OnDisk("user.dict.utf8", strings.NewReader("words"))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "words" {
		t.Errorf("content = %q, %v", raw, err)
	}
	done()
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPack_RefusesAnotherVersion(t *testing.T) {
	t.Parallel()
	from := fstest.MapFS{}
	for _, name := range []string{"jieba.dict.utf8", "hmm_model.utf8", "user.dict.utf8", "stop_words.utf8"} {
		raw, err := os.ReadFile(filepath.Join(gojieba.DICT_DIR, name))
		if err != nil {
			t.Fatal(err)
		}
		from[name] = &fstest.MapFile{Data: raw}
	}
	from["jieba.dict.utf8"] = &fstest.MapFile{Data: half(t, gojieba.DICT_PATH)}
	if err := dict.Pack(from, t.TempDir()); !errors.Is(err, dict.ErrDamaged) {
		t.Errorf("err = %v, want %v", err, dict.ErrDamaged)
	}
	delete(from, "jieba.dict.utf8")
	if err := dict.Pack(from, t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v, want %v", err, fs.ErrNotExist)
	}
}

func half(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw[:len(raw)/2]
}

func repack(t *testing.T, raw []byte) *fstest.MapFile {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: buf.Bytes()}
}
