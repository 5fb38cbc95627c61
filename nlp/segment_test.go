package nlp_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"wensheng/nlp"
)

func segmenter(tb testing.TB) *nlp.Segmenter {
	tb.Helper()
	seg, err := nlp.NewSegmenter([]nlp.Word{{Text: "上征信"}, {Text: "砍头息"}, {Text: "花呗"}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(seg.Close)
	return seg
}

func TestSegmenter_KeepsItsOwnWords(t *testing.T) {
	t.Parallel()
	seg := segmenter(t)
	for text, want := range map[string][]string{
		"会上征信吗":         {"会", "上征信", "吗"},
		"\x00砍头息\xff违法": {"砍头息", "违法"},
		"   ":           nil,
	} {
		if got := seg.Cut(text); !slices.Equal(got, want) {
			t.Errorf("Cut(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSegmenter_ReportsEveryBadWord(t *testing.T) {
	t.Parallel()
	_, err := nlp.NewSegmenter([]nlp.Word{{Text: "好"}, {Text: "有 空格"}, {Text: "繁體字"}, {Text: "词语", Freq: -1}})
	if !errors.Is(err, nlp.ErrWord) {
		t.Fatalf("err = %v, want %v", err, nlp.ErrWord)
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 4 {
		t.Errorf("err = %v, want four problems", err)
	}
}

func TestSegmenter_SaysWhenItsFilesAreMissing(t *testing.T) {
	t.Parallel()
	_, err := nlp.NewSegmenterFrom(nlp.DictFiles{Dict: "/nowhere", HMM: "/nowhere", User: "/nowhere", IDF: "/nowhere", Stop: "/nowhere"}, nil)
	if err == nil {
		t.Fatal("no error")
	}
}

// A swap of dictionaries happens while others cut: nothing may crash, and a
// closed Segmenter must still answer something.
func TestSegmenter_SurvivesCloseBesideCut(t *testing.T) {
	t.Parallel()
	seg, err := nlp.NewSegmenter([]nlp.Word{{Text: "竞态词"}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if len(seg.Cut("提前还款要手续费吗")) == 0 {
					t.Error("no words")
					return
				}
			}
		})
	}
	seg.Close()
	seg.Close()
	wg.Wait()
}
