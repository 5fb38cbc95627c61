package kb_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/internal/kb"
)

func TestState_MovesOnlyByTheTable(t *testing.T) {
	t.Parallel()
	all := []kb.State{kb.Draft, kb.Review, kb.Approved, kb.Rejected, kb.Published, kb.Replaced}
	want := map[kb.State]string{
		kb.Draft: "review", kb.Review: "draft approved rejected", kb.Approved: "draft published",
		kb.Rejected: "draft", kb.Published: "replaced", kb.Replaced: "published",
	}
	for _, from := range all {
		var got []string
		for _, to := range all {
			if from.May(to) {
				got = append(got, string(to))
			}
		}
		if strings.Join(got, " ") != want[from] {
			t.Errorf("from %s to %v, want %s", from, got, want[from])
		}
	}
}

func TestVersion_OwnWorkIsEverybodysWhoWroteOrSubmitted(t *testing.T) {
	t.Parallel()
	v := kb.Version{CreatedBy: "a", Authors: []string{"a", "b"}, SubmittedBy: "c"}
	for user, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false} {
		if got := v.Own(user); got != want {
			t.Errorf("own work of %s: %v, want %v", user, got, want)
		}
	}
}

func TestFiles_PackAndUnpack(t *testing.T) {
	t.Parallel()
	files := kb.Files{"topics/a.yaml": []byte("甲\n"), "words.txt": nil, "forms/x.yaml": bytes.Repeat([]byte("x"), 1<<16)}
	packed, err := files.Pack()
	if err != nil {
		t.Fatal(err)
	}
	again, err := files.Pack()
	if err != nil || !bytes.Equal(packed, again) {
		t.Errorf("the same files packed differently (%v)", err)
	}
	got, err := kb.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	files["words.txt"] = []byte{}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnpack_RefusesWhatPackDoesNotMake(t *testing.T) {
	t.Parallel()
	pack := func(name string, size int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, raw := range map[string][]byte{
		"not a zip":     []byte("knowledge"),
		"a way out":     pack("../etc/passwd", 1),
		"an absolute":   pack("/etc/passwd", 1),
		"a zip of zero": pack("a", kb.MaxBytes+1),
	} {
		if _, err := kb.Unpack(raw); !errors.Is(err, kb.ErrFiles) {
			t.Errorf("%s: %v, want ErrFiles", name, err)
		}
	}
}
