//go:build embeddict

package dict

import (
	"embed"
	"io/fs"
)

// Where these are missing, "go generate ./nlp/dict" makes them, as make build does.
//
//go:embed jieba.dict.utf8.gz hmm_model.utf8.gz user.dict.utf8.gz stop_words.utf8.gz
var packed embed.FS

// Embedded returns the packed files this program carries.
func Embedded() fs.FS { return packed }
