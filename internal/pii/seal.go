package pii

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

// The sealed form is: version (1 byte), key id (4), nonce (12), ciphertext with
// its 16-byte tag. The header is authenticated with the ciphertext.
const (
	sealVersion = 1
	keyIDSize   = 4
	nonceSize   = 12
	tagSize     = 16
	headerSize  = 1 + keyIDSize
)

// Errors of Open. They never hold any of the data.
var (
	ErrSealed     = errors.New("pii: not a sealed value, or it was changed")
	ErrUnknownKey = errors.New("pii: sealed under a key that is not configured")
)

// sealHMACBase32 has 26 characters for 16 bytes and is safe in keys and URLs.
var sealHMACBase32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

type sealKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// Sealer encrypts personal data at rest and derives what must not be guessed:
// index hashes and signing keys. It seals under the current master key and
// opens under every one it was given. It is safe for concurrent use.
type Sealer struct {
	keys []sealKey // keys[0] seals
	root []byte    // the oldest master key: what index hashes and subkeys hang on
}

// NewSealer makes a Sealer of 32-byte master keys. older are keys of earlier
// rotations, newest first; the last of them (or current, when there is none)
// is the root of HMAC and Derive, so these stay the same over a rotation for as
// long as the oldest key stays configured.
func NewSealer(current []byte, older ...[]byte) (*Sealer, error) {
	s := &Sealer{}
	for i, master := range append([][]byte{current}, older...) {
		if len(master) != KeySize {
			return nil, fmt.Errorf("pii: key %d has %d bytes, want %d", i, len(master), KeySize)
		}
		k, err := newSealKey(master)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, k)
		s.root = append([]byte(nil), master...)
	}
	return s, nil
}

func newSealKey(master []byte) (sealKey, error) {
	var k sealKey
	id, err := hkdf.Key(sha256.New, master, nil, "wensheng key id v1", keyIDSize)
	if err != nil {
		return k, fmt.Errorf("pii: derive the key id: %w", err)
	}
	copy(k.id[:], id)
	enc, err := hkdf.Key(sha256.New, master, nil, "wensheng seal v1", KeySize)
	if err != nil {
		return k, fmt.Errorf("pii: derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(enc)
	if err != nil {
		return k, fmt.Errorf("pii: cipher: %w", err)
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return k, fmt.Errorf("pii: cipher: %w", err)
	}
	return k, nil
}

// Seal encrypts plain with AES-256-GCM under the current key and a random
// nonce. The result is 33 bytes longer; sealing the same text twice gives
// different bytes.
func (s *Sealer) Seal(plain []byte) []byte {
	k := s.keys[0]
	out := make([]byte, headerSize+nonceSize, headerSize+nonceSize+len(plain)+tagSize)
	out[0] = sealVersion
	copy(out[1:], k.id[:])
	_, _ = rand.Read(out[headerSize:]) // crypto/rand.Read never fails since Go 1.24
	return k.aead.Seal(out, out[headerSize:headerSize+nonceSize], plain, out[:headerSize])
}

// Open decrypts what Seal made under any of the keys. It returns ErrUnknownKey
// or ErrSealed.
func (s *Sealer) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize+nonceSize+tagSize || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	header, nonce, body := sealed[:headerSize], sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]
	for _, k := range s.keys {
		if [keyIDSize]byte(header[1:]) != k.id {
			continue
		}
		plain, err := k.aead.Open(nil, nonce, body, header)
		if err != nil {
			return nil, ErrSealed
		}
		return plain, nil
	}
	return nil, ErrUnknownKey
}

// Stale reports whether sealed was made under an older key and should be sealed
// again by whoever has just opened it.
func (s *Sealer) Stale(sealed []byte) bool {
	return len(sealed) >= headerSize && sealed[0] == sealVersion && [keyIDSize]byte(sealed[1:headerSize]) != s.keys[0].id
}

// HMAC returns 26 lower-case base32 characters (128 bits of HMAC-SHA256) that
// stand for value in keys and indexes. domain keeps uses apart: the same value
// in two domains gives unrelated results.
func (s *Sealer) HMAC(domain, value string) string {
	mac := hmac.New(sha256.New, s.Derive("hmac "+domain))
	mac.Write([]byte(value))
	return sealHMACBase32.EncodeToString(mac.Sum(nil)[:16])
}

// Derive returns a 32-byte subkey for a purpose (HKDF-SHA256), such as signing
// sessions. The same purpose always gives the same key; it does not change when
// keys are rotated, see NewSealer.
func (s *Sealer) Derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, s.root, nil, "wensheng derive v1 "+purpose, KeySize)
	if err != nil {
		// Only a length over 255 hashes or a FIPS policy can fail; neither can
		// change after NewSealer derived its own keys.
		panic("pii: derive: " + err.Error())
	}
	return key
}
