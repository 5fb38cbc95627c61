package nlp_test

import (
	"testing"

	"wensheng/nlp"
)

func segmenter(t *testing.T) *nlp.Segmenter {
	t.Helper()
	seg, err := nlp.NewSegmenter([]nlp.Word{{Text: "提前还款"}, {Text: "花呗"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(seg.Close)
	return seg
}
