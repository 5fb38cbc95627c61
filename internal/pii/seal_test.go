package pii_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"regexp"
	"testing"

	"wensheng/internal/pii"
)

func newKey(tb testing.TB) []byte {
	tb.Helper()
	k := make([]byte, pii.KeySize)
	_, _ = rand.Read(k)
	return k
}

func newSealer(tb testing.TB, current []byte, older ...[]byte) *pii.Sealer {
	tb.Helper()
	s, err := pii.NewSealer(current, older...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSealer_OpensWhatItSealed(t *testing.T) {
	t.Parallel()
	s := newSealer(t, newKey(t))
	for _, plain := range []string{"", "x", "我的手机13812345678"} {
		a, b := s.Seal([]byte(plain)), s.Seal([]byte(plain))
		if bytes.Equal(a, b) {
			t.Errorf("sealing %q twice gave the same bytes", plain)
		}
		if len(plain) > 2 && bytes.Contains(a, []byte(plain)) {
			t.Error("the plain text stands in the sealed one")
		}
		got, err := s.Open(a)
		if err != nil || string(got) != plain {
			t.Errorf("Open = %q, %v; want %q", got, err, plain)
		}
		if s.Stale(a) {
			t.Error("a fresh value is stale")
		}
	}
}

func TestSealer_RefusesWhatWasChanged(t *testing.T) {
	t.Parallel()
	s := newSealer(t, newKey(t))
	sealed := s.Seal([]byte("hello"))
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if got, err := s.Open(bad); err == nil {
			t.Errorf("byte %d changed, Open = %q", i, got)
		}
		if _, err := s.Open(sealed[:i]); !errors.Is(err, pii.ErrSealed) {
			t.Errorf("cut at %d: %v, want ErrSealed", i, err)
		}
	}
	if _, err := newSealer(t, newKey(t)).Open(sealed); !errors.Is(err, pii.ErrUnknownKey) {
		t.Errorf("another key: %v, want ErrUnknownKey", err)
	}
}

func TestSealer_Rotates(t *testing.T) {
	t.Parallel()
	k1, k2, k3 := newKey(t), newKey(t), newKey(t)
	s1, s3 := newSealer(t, k1), newSealer(t, k3, k2, k1)
	old := s1.Seal([]byte("hello"))
	got, err := s3.Open(old)
	if err != nil || string(got) != "hello" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if !s3.Stale(old) || s3.Stale(s3.Seal(got)) {
		t.Error("Stale does not tell old from new")
	}
	if s1.HMAC("addr", "138") != s3.HMAC("addr", "138") {
		t.Error("HMAC changed over a rotation")
	}
	if !bytes.Equal(s1.Derive("session"), s3.Derive("session")) {
		t.Error("Derive changed over a rotation")
	}
}

func TestSealer_KeepsDomainsApart(t *testing.T) {
	t.Parallel()
	s := newSealer(t, newKey(t))
	a := s.HMAC("addr", "138")
	if !regexp.MustCompile(`^[0-9a-z]{26}$`).MatchString(a) {
		t.Errorf("HMAC = %q, want 26 lower-case base32 characters", a)
	}
	if a == s.HMAC("user", "138") || a == s.HMAC("addr", "139") || a != s.HMAC("addr", "138") {
		t.Error("HMAC does not separate domains and values")
	}
	if k := s.Derive("a"); len(k) != 32 || bytes.Equal(k, s.Derive("b")) {
		t.Error("Derive does not separate purposes")
	}
}

func TestNewSealer_RefusesBadKeys(t *testing.T) {
	t.Parallel()
	if _, err := pii.NewSealer(make([]byte, 16)); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := pii.NewSealer(newKey(t), nil); err == nil {
		t.Error("an empty older key was taken")
	}
}

func FuzzOpen(f *testing.F) {
	s := newSealer(f, bytes.Repeat([]byte{7}, pii.KeySize))
	f.Add([]byte{}, []byte("x"))
	f.Add(s.Seal([]byte("hello")), []byte("hello"))
	f.Fuzz(func(t *testing.T, hostile, plain []byte) {
		_, _ = s.Open(hostile)
		s.Stale(hostile)
		if got, err := s.Open(s.Seal(plain)); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("Open(Seal(%q)) = %q, %v", plain, got, err)
		}
	})
}
