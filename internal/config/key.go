package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keyBytes is the length of a master key.
const keyBytes = 32

// KeyFile is the name of the generated key under data.
const KeyFile = "secret.key"

// decodeKey returns the 32 bytes of a base64 text in any of its alphabets, or nil.
func decodeKey(s Secret) []byte {
	text := strings.TrimRight(strings.TrimSpace(s.Reveal()), "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := enc.DecodeString(text); err == nil && len(b) == keyBytes {
			return b
		}
	}
	return nil
}

// Keys returns the master keys: the current one and the older, newest first.
// The current one is nil before EnsureKey when none is configured.
func (s Secrets) Keys() (current []byte, older [][]byte) {
	for _, k := range s.Older {
		older = append(older, decodeKey(k))
	}
	return decodeKey(s.Key), older
}

// GenerateKey returns base64 of 32 random bytes.
func GenerateKey() Secret {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return Secret(base64.StdEncoding.EncodeToString(b))
}

// EnsureKey fills Secrets.Key when it is empty: from secret.key under Data, or
// by generating that file with mode 0600. Processes that start at the same time
// agree on one key. Losing the file loses everything sealed with it.
func EnsureKey(c *Config) error {
	if c.Secrets.Key != "" {
		return nil
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("secrets.key: %w", err)
	}
	name := filepath.Join(c.Data, KeyFile)
	key, err := readKey(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeKey(name); err == nil {
			key, err = readKey(name)
		}
	}
	if err != nil {
		return fmt.Errorf("secrets.key: %w", err)
	}
	c.Secrets.Key = key
	return nil
}

func readKey(name string) (Secret, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s may be read by others; run: chmod 600 %s", name, name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	key := Secret(strings.TrimSpace(string(data)))
	if decodeKey(key) == nil {
		return "", fmt.Errorf("%s is damaged: it does not hold base64 of 32 bytes; restore it from a backup", name)
	}
	return key, nil
}

// writeKey creates the file whole or not at all; one that another process
// created meanwhile stays.
func writeKey(name string) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), KeyFile+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(GenerateKey().Reveal() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
