package nlp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// The file of a trained model: the magic, SHA-256 of the rest, then two counts,
// the calibration and the weights, little-endian. What it belongs to is in its
// name, so nothing of the knowledge base stands in it.
const modelMagic = "wensheng model 1\n"

func modelPath(dir, key string) string {
	return filepath.Join(dir, "model-"+key[:32]+".bin")
}

// fits reports whether a model from a file belongs to the features and labels.
func (m *softmax) fits(features, labels int) bool {
	return m.labels == labels && len(m.w) == features*labels && len(m.bias) == labels
}

// saveModel writes atomically: a reader sees the old file, the new one, or none.
func saveModel(dir, key string, m *softmax, c calibration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the trained model: %w", err)
	}
	var body bytes.Buffer
	body.Grow(4*len(m.w) + 4*len(m.bias) + 256)
	put := func(v any) { _ = binary.Write(&body, binary.LittleEndian, v) } // a bytes.Buffer takes everything
	put([2]uint64{uint64(len(m.w)), uint64(len(m.bias))})
	put(c)
	put(m.w)
	put(m.bias)
	sum := sha256.Sum256(body.Bytes())

	tmp, err := os.CreateTemp(dir, ".model-*")
	if err != nil {
		return fmt.Errorf("keep the trained model: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when all went well
	for _, part := range [][]byte{[]byte(modelMagic), sum[:], body.Bytes()} {
		if _, err = tmp.Write(part); err != nil {
			break
		}
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), modelPath(dir, key))
	}
	if err != nil {
		return fmt.Errorf("keep the trained model: %w", err)
	}
	return nil
}

// maxModelFile bounds what is read: 1 GB of weights is 250 million of them.
const maxModelFile = 1 << 30

// loadModel reads a model; ok is false for a missing, damaged or foreign file.
func loadModel(dir, key string) (m *softmax, c calibration, ok bool) {
	path := modelPath(dir, key)
	if st, err := os.Stat(path); err != nil || st.Size() > maxModelFile {
		return nil, c, false
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, c, false
	}
	rest, found := bytes.CutPrefix(raw, []byte(modelMagic))
	if !found || len(rest) < sha256.Size {
		return nil, c, false
	}
	body := rest[sha256.Size:]
	sum := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(sum[:], rest[:sha256.Size]) != 1 {
		return nil, c, false
	}
	r := bytes.NewReader(body)
	var n [2]uint64
	if binary.Read(r, binary.LittleEndian, &n) != nil || binary.Read(r, binary.LittleEndian, &c) != nil {
		return nil, c, false
	}
	if (n[0]+n[1])*4 != uint64(r.Len()) {
		return nil, c, false
	}
	m = &softmax{labels: int(n[1])}
	at := len(body) - r.Len()
	m.w, at = floats(body, at, int(n[0]))
	m.bias, _ = floats(body, at, int(n[1]))
	return m, c, true
}

func floats(b []byte, at, n int) ([]float32, int) {
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[at:]))
		at += 4
	}
	return out, at
}
