package nlp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/yanyiwu/gojieba"
)

// Word is one entry of a user dictionary.
type Word struct {
	// Text is the word, 2 to 16 characters.
	Text string
	// Freq is how strongly it holds together; 0 means [DefaultFreq].
	Freq int
	// Tag is a part of speech; "n" when empty.
	Tag string
}

// DefaultFreq wins against the words of the general dictionary that a finance
// term is made of, measured on gojieba v1.4.7.
const DefaultFreq = 20000

// ErrWord says that an entry of a user dictionary is unusable.
var ErrWord = errors.New("not a usable dictionary word")

// DictFiles are the paths of the five files gojieba loads. The zero value means
// the files of the module cache of the machine that built the program, which a
// release does not have.
type DictFiles struct {
	Dict, HMM, User, IDF, Stop string
	// ID names what the files hold, where their paths are not the same each time.
	ID string
}

func (d DictFiles) zero() bool { return d == DictFiles{} }

// Segmenter cuts text into words. Segmenters made from the same dictionary share
// one instance of about 110 MB, because a process needs only one; a changed
// dictionary means a new Segmenter and a swap, since adding a word while another
// goroutine cuts crashes the process. It is safe for concurrent use.
type Segmenter struct {
	dict *dictionary
	once sync.Once
}

// dictionary is one loaded instance. The lock only guards against Free while a
// cut is running; cuts never wait for each other.
type dictionary struct {
	key  string
	mu   sync.RWMutex
	j    *gojieba.Jieba
	refs int // guarded by shelf.mu
	// everyday is how often ordinary Chinese uses a word.
	everyday everyday
}

// shelf holds the loaded dictionaries of the process.
type shelf struct {
	mu    sync.Mutex
	byKey map[string]*dictionary
}

// dictionaries is process-wide, because an instance costs 110 MB and 0.4 s.
var dictionaries = &shelf{byKey: map[string]*dictionary{}}

// NewSegmenter loads the general dictionary (0.4 s the first time) and adds the
// words. It reports every unusable word at once, wrapping [ErrWord].
func NewSegmenter(words []Word) (*Segmenter, error) {
	return NewSegmenterFrom(DictFiles{}, words)
}

// NewSegmenterFrom is NewSegmenter with the dictionary files at hand, for a
// release that carries them inside itself.
func NewSegmenterFrom(files DictFiles, words []Word) (*Segmenter, error) {
	clean, err := checkWords(words)
	if err != nil {
		return nil, err
	}
	d, err := dictionaries.take(files, clean)
	if err != nil {
		return nil, err
	}
	return &Segmenter{dict: d}, nil
}

func checkWords(words []Word) ([]Word, error) {
	var errs []error
	out := make([]Word, 0, len(words))
	for _, w := range words {
		n := utf8.RuneCountInString(w.Text)
		switch {
		case !utf8.ValidString(w.Text), Normalize(w.Text) != w.Text, strings.ContainsAny(w.Text, " \t"):
			errs = append(errs, fmt.Errorf("%w: %q is not in normal form", ErrWord, w.Text))
			continue
		case n < 2, n > 16:
			errs = append(errs, fmt.Errorf("%w: %q has %d characters, not 2 to 16", ErrWord, w.Text, n))
			continue
		case w.Freq < 0 || w.Freq > 1_000_000_000:
			errs = append(errs, fmt.Errorf("%w: frequency %d of %q is out of range", ErrWord, w.Freq, w.Text))
			continue
		}
		if w.Freq == 0 {
			w.Freq = DefaultFreq
		}
		if w.Tag == "" {
			w.Tag = "n"
		}
		out = append(out, w)
	}
	return out, errors.Join(errs...)
}

func (s *shelf) take(files DictFiles, words []Word) (*dictionary, error) {
	h := sha256.New()
	identity := files
	if files.ID != "" {
		identity = DictFiles{ID: files.ID}
	}
	// A hash takes everything; its Write never fails.
	_, _ = fmt.Fprintf(h, "%q\n", identity)
	for _, w := range words {
		_, _ = fmt.Fprintf(h, "%s\t%d\t%s\n", w.Text, w.Freq, w.Tag)
	}
	key := hex.EncodeToString(h.Sum(nil))

	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.byKey[key]
	if !ok {
		j, err := loadJieba(files)
		if err != nil {
			return nil, err
		}
		usual, err := readEveryday(files.Dict)
		if err != nil {
			j.Free()
			return nil, err
		}
		for _, w := range words {
			j.AddWordEx(w.Text, w.Freq, w.Tag)
		}
		d = &dictionary{key: key, j: j, everyday: usual}
		s.byKey[key] = d
	}
	d.refs++
	return d, nil
}

func (s *shelf) give(d *dictionary) {
	s.mu.Lock()
	d.refs--
	last := d.refs == 0
	if last {
		delete(s.byKey, d.key)
	}
	s.mu.Unlock()
	if last {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.j.Free()
		d.j = nil
	}
}

// loadJieba loads the files. The library panics where a file is missing; that is
// an error here, because a program must say so and not die.
func loadJieba(files DictFiles) (j *gojieba.Jieba, err error) {
	defer func() {
		if r := recover(); r != nil {
			j, err = nil, fmt.Errorf("load the segmenter's dictionary: %v", r)
		}
	}()
	if files.zero() {
		if _, err := os.Stat(gojieba.DICT_PATH); err != nil {
			return nil, fmt.Errorf("load the segmenter's dictionary: this program carries none and the module cache of its build is not here (make build makes one that does): %w", err)
		}
		files = DictFiles{
			Dict: gojieba.DICT_PATH, HMM: gojieba.HMM_PATH, User: gojieba.USER_DICT_PATH,
			IDF: gojieba.IDF_PATH, Stop: gojieba.STOP_WORDS_PATH,
		}
		// The keyword weights are for Extract, which nothing here calls; a
		// stub in their place saves 20 MB.
		dir, mkErr := os.MkdirTemp("", "wensheng-dict-*")
		if mkErr == nil {
			defer func() { _ = os.RemoveAll(dir) }()
			stub := filepath.Join(dir, "idf.utf8")
			if os.WriteFile(stub, []byte("\u7684 1.0\n"), 0o600) == nil {
				files.IDF = stub
			}
		}
	}
	return gojieba.NewJieba(files.Dict, files.HMM, files.User, files.IDF, files.Stop), nil
}

// Cut returns the words of a text, in order, without white space. The text is
// normalised here, because the library loses everything on invalid UTF-8 or NUL.
// A closed Segmenter cuts into single characters.
func (s *Segmenter) Cut(text string) []string {
	return s.cut(Normalize(text))
}

func (s *Segmenter) cut(norm string) []string {
	if norm == "" {
		return nil
	}
	d := s.dict
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.j == nil {
		return strings.Split(strings.ReplaceAll(norm, " ", ""), "")
	}
	words := d.j.Cut(norm, true)
	runtime.KeepAlive(d.j)
	out := words[:0]
	for _, w := range words {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// Fingerprint names the dictionary: two Segmenters with the same one cut alike.
func (s *Segmenter) Fingerprint() string {
	return s.dict.key[:16]
}

// Close gives the instance back; the last user frees it, after running cuts are
// done. Calling it again does nothing.
func (s *Segmenter) Close() {
	s.once.Do(func() { dictionaries.give(s.dict) })
}
