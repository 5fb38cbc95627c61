package nlp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// The file of a trained model: the magic, SHA-256 of the rest, then the
// calibration and the networks, every array after its length, little-endian. What it belongs to is in its
// name, so nothing of the knowledge base stands in it.
const modelMagic = "wensheng model 2\n"

func modelName(key string) string { return "model-" + key[:32] + ".bin" }

func modelPath(dir, key string) string { return filepath.Join(dir, modelName(key)) }

// fitAll reports whether networks from a file belong to the features and labels.
func fitAll(nets []*network, features, labels int) bool {
	for _, m := range nets {
		if !m.fits(features, labels) {
			return false
		}
	}
	return len(nets) > 0
}

// saveModel writes atomically: a reader sees the old file, the new one, or none.
func saveModel(dir, key string, nets []*network, c calibration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the trained model: %w", err)
	}
	var body bytes.Buffer
	put := func(v any) { _ = binary.Write(&body, binary.LittleEndian, v) } // a bytes.Buffer takes everything
	put(c)
	put(uint64(len(nets)))
	for _, m := range nets {
		for _, part := range m.parts() {
			put(uint64(len(*part)))
			put(*part)
		}
	}
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
func loadModel(fsys fs.FS, key string) (nets []*network, c calibration, ok bool) {
	name := modelName(key)
	if st, err := fs.Stat(fsys, name); err != nil || st.Size() > maxModelFile {
		return nil, c, false
	}
	raw, err := fs.ReadFile(fsys, name)
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
	var n uint64
	if binary.Read(r, binary.LittleEndian, &c) != nil || binary.Read(r, binary.LittleEndian, &n) != nil || n > maxNetworks {
		return nil, c, false
	}
	for range n {
		m := &network{}
		for _, part := range m.parts() {
			var size uint64
			if binary.Read(r, binary.LittleEndian, &size) != nil || size*4 > uint64(r.Len()) {
				return nil, c, false
			}
			*part = floats(body[len(body)-r.Len():], int(size))
			_, _ = r.Seek(int64(size)*4, io.SeekCurrent) // within what is there
		}
		m.labels = len(m.outBias)
		nets = append(nets, m)
	}
	return nets, c, r.Len() == 0
}

// maxNetworks bounds what a file may claim.
const maxNetworks = 16

// parts are a network's arrays, in the order of the file.
func (m *network) parts() [4]*[]float32 {
	return [4]*[]float32{&m.in, &m.inBias, &m.out, &m.outBias}
}

func floats(b []byte, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
