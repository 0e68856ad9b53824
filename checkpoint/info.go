package checkpoint

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"heed/format"
)

// Version is the number of the layout of Info, raised whenever an older program
// would misread a file.
const Version = 1

// infoKey is the key of the metadata under which Info is stored.
const infoKey = "heed"

// Info says what a model is and where it comes from. Config, Tokenizer and
// Preprocessing are JSON objects whose fields the architecture defines; a
// program that loads the model needs nothing beside them and the weights.
type Info struct {
	Version       int                `json:"version"`
	Architecture  string             `json:"architecture"` // "sequence", "volume", ...
	Config        json.RawMessage    `json:"config"`
	Tokenizer     json.RawMessage    `json:"tokenizer,omitempty"`     // or the alphabet
	Preprocessing json.RawMessage    `json:"preprocessing,omitempty"` // from the user's file to the input of the model
	Seed          uint64             `json:"seed"`
	Heed          string             `json:"heed,omitempty"`        // version of this program
	Go            string             `json:"go,omitempty"`          // version of the compiler
	Kernel        string             `json:"kernel,omitempty"`      // "avx512", "avx2" or "generic"
	DataSHA256    string             `json:"data_sha256,omitempty"` // of the training data, 64 hexadecimal digits
	Metrics       map[string]float64 `json:"metrics,omitempty"`     // on data not trained on; leave out what is undefined
	Command       []string           `json:"command,omitempty"`     // the arguments of the run
}

// Validate reports the first field that is missing or wrong.
func (i *Info) Validate() error {
	if i.Version != Version {
		return fmt.Errorf("version %d, want %d", i.Version, Version)
	}
	if i.Architecture == "" {
		return errors.New("no architecture")
	}
	if len(i.Config) == 0 {
		return errors.New("no config")
	}
	for _, field := range []struct {
		name string
		json json.RawMessage
	}{{"config", i.Config}, {"tokenizer", i.Tokenizer}, {"preprocessing", i.Preprocessing}} {
		text := bytes.TrimSpace(field.json)
		if len(field.json) > 0 && (!json.Valid(text) || text[0] != '{') {
			return fmt.Errorf("%s is not a JSON object", field.name)
		}
	}
	if b, err := hex.DecodeString(i.DataSHA256); i.DataSHA256 != "" && (err != nil || len(b) != 32) {
		return fmt.Errorf("data_sha256 %q is not 64 hexadecimal digits", i.DataSHA256)
	}
	for _, name := range slices.Sorted(maps.Keys(i.Metrics)) {
		if v := i.Metrics[name]; math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("metric %q is %v", name, v)
		}
	}
	return nil
}

// Meta returns the metadata that Save stores and File.Info reads.
func (i *Info) Meta() (map[string]string, error) {
	if err := i.Validate(); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	text, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return map[string]string{infoKey: string(text)}, nil
}

// Info returns the record that Meta made. If architecture is not empty, a file
// of another one is refused. Errors are of type *format.Error.
func (h *Header) Info(architecture string) (*Info, error) {
	text, ok := h.Meta[infoKey]
	if !ok {
		return nil, format.UnsupportedAt(h.Name, 0, "no %q in its metadata: not a checkpoint of heed", infoKey)
	}
	// The version first: what else a later version says may not even parse.
	var version struct{ Version int }
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return nil, format.InvalidAt(h.Name, 0, "metadata %q: %v", infoKey, err)
	}
	if version.Version > Version {
		return nil, format.UnsupportedAt(h.Name, 0, "checkpoint version %d, this program reads up to %d", version.Version, Version)
	}
	info := &Info{}
	if err := json.Unmarshal([]byte(text), info); err != nil {
		return nil, format.InvalidAt(h.Name, 0, "metadata %q: %v", infoKey, err)
	}
	if err := info.Validate(); err != nil {
		return nil, format.InvalidAt(h.Name, 0, "metadata %q: %w", infoKey, err)
	}
	if architecture != "" && info.Architecture != architecture {
		return nil, format.InvalidAt(h.Name, 0, "architecture %q, want %q", info.Architecture, architecture)
	}
	return info, nil
}
