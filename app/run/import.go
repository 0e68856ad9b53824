package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format"
	"heed/internal/cli"
	"heed/model/esm"
	"heed/nn"
)

// An Imported says what an import read and wrote.
type Imported struct {
	Architecture string   `json:"architecture"`
	Config       any      `json:"config"` // esm.Config, esm.MSAConfig or bert.Config
	Parameters   int      `json:"parameters"`
	From         []string `json:"from"`
	SHA256       string   `json:"sha256"`  // of names, shapes and values of the weights
	Ignored      []string `json:"ignored"` // arrays that have no place in the model
	Output       string   `json:"output"`
	Bytes        int64    `json:"bytes"`

	about     string          // one line for people
	tokenizer json.RawMessage // what goes into the file
}

// Import reads a published model (see the help of "heed model import") and
// writes it to output, whole or not at all. Regression is the path of the contact
// regression, or "" for the file beside path, if there is one.
func Import(path, regression, output, version string) (*Imported, error) {
	p, err := openPublished(path, regression)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	done := &Imported{Output: output}
	m, err := done.load(p)
	if err != nil {
		if placed := (*format.Error)(nil); errors.As(err, &placed) {
			return nil, err
		}
		return nil, format.InvalidAt(p.files[0], 0, "%w", err)
	}
	var entries []checkpoint.Entry
	m.Visit("", func(name string, v *autograd.Var) {
		for i, x := range v.Data {
			if y := float64(x); err == nil && (math.IsNaN(y) || math.IsInf(y, 0)) {
				err = format.InvalidAt(p.files[0], 0, "value %d of %q is %v", i, name, x)
			}
		}
		entries = append(entries, checkpoint.Tensor(name, &v.Tensor))
	})
	if err != nil {
		return nil, err
	}
	for _, f := range p.files {
		done.From = append(done.From, filepath.Base(f))
	}
	config, err := json.Marshal(done.Config)
	if err != nil {
		return nil, err
	}
	from, err := json.Marshal(map[string]any{"imported_from": done.From})
	if err != nil {
		return nil, err
	}
	meta, err := (&checkpoint.Info{Version: checkpoint.Version, Architecture: done.Architecture, Config: config,
		Tokenizer: done.tokenizer, Preprocessing: from,
		Heed: version, Go: runtime.Version()}).Meta()
	if err != nil {
		return nil, err
	}
	if done.SHA256, err = checkpoint.Hash(entries); err != nil {
		return nil, err
	}
	if err := save(output, meta, entries); err != nil {
		return nil, err
	}
	if st, err := os.Stat(output); err == nil {
		done.Bytes = st.Size()
	}
	return done, nil
}

// load makes the model that the names of the arrays are of.
func (i *Imported) load(p *published) (nn.Module, error) {
	if p.bert != nil {
		return i.loadBert(p)
	}
	i.tokenizer = json.RawMessage(`{"alphabet":"esm","tokens":33}`)
	for name := range p.arrays {
		if strings.Contains(name, "row_self_attention.") {
			m, ignored, err := esm.LoadMSA(p.arrays, max(0, p.says.heads))
			if err != nil {
				return nil, err
			}
			c := m.Config
			i.Architecture, i.Config, i.Ignored, i.Parameters = esm.ArchitectureMSA, c, ignored, nn.Count(m)
			return m, i.describe(p, esm.Config{Layers: c.Layers, Dim: c.Dim, Heads: c.Heads, FFN: c.FFN, Contacts: c.Contacts})
		}
	}
	m, ignored, err := esm.Load(p.arrays)
	if err != nil {
		return nil, err
	}
	m.Config.TokenDropout = p.says.tokenDropout
	i.Architecture, i.Config, i.Ignored, i.Parameters = esm.Architecture, m.Config, ignored, nn.Count(m)
	return m, i.describe(p, m.Config)
}

// describe compares the sizes with what the files say of them, and writes them
// down for people.
func (i *Imported) describe(p *published, c esm.Config) error {
	head := "contact head"
	if !c.Contacts {
		head = "no contact head"
	}
	i.about = fmt.Sprintf("%d layers of width %d, %d heads, %d parameters, %s", c.Layers, c.Dim, c.Heads, i.Parameters, head)
	return p.says.check(c)
}

// save is checkpoint.Save whose errors of the system are no bad input.
func save(path string, meta map[string]string, entries []checkpoint.Entry) error {
	err := checkpoint.Save(path, meta, entries)
	var e *format.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %w", path, e.Err)
	}
	return err
}

func importCommand(version string) *cobra.Command {
	var regression, output string
	var force, asJSON bool
	c := &cobra.Command{
		Use:   "import PUBLISHED -o FILE",
		Short: "Turn published weights into one file of heed",
		Long: `Read the published weights of an encoder and write them as one safetensors file,
with all that is needed to use them: of proteins ESM-2 and ESM-MSA-1b, of DNA
DNABERT and DNABERT-2. No Python and no network are needed, and
nothing in the files is executed.

PUBLISHED is one of
  the authors' file, esm2_t6_8M_UR50D.pt; the contact regression, which they
    publish as a second file, is taken from esm2_t6_8M_UR50D-contact-regression.pt
    beside it (--contacts names another)
  a file model.safetensors or pytorch_model.bin of Hugging Face, or its folder;
    config.json beside it is checked against the arrays. A DNABERT wants it, and
    vocab.txt (k-mers) or tokenizer.json (byte pairs), which go into the file

Half-precision values are widened to float32. The hash that is printed is that of
names, shapes and values: the same weights have the same hash, whichever file they
came from.`,
		Example: `  heed model import esm2_t6_8M_UR50D.pt -o esm2_8m.safetensors
  heed model import DNABERT-2-117M -o dnabert2.safetensors`,
		Args: one("the published file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return cli.Usagef("-o FILE says where to write the model")
			}
			if isThere(output) && !force {
				return cli.Hint(cli.Usagef("%s exists", output), "--force replaces it")
			}
			done, err := Import(args[0], regression, output, version)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				e := json.NewEncoder(w)
				e.SetIndent("", "  ")
				return e.Encode(done)
			}
			fmt.Fprintf(w, "%s: %s\n", done.Architecture, done.about)
			fmt.Fprintf(w, "from %s\n", strings.Join(done.From, ", "))
			if len(done.Ignored) > 0 {
				fmt.Fprintf(w, "no use for %s\n", strings.Join(done.Ignored, ", "))
			}
			fmt.Fprintf(w, "weights sha256 %s\n", done.SHA256)
			_, err = fmt.Fprintf(w, "wrote %s, %d bytes\n", done.Output, done.Bytes)
			return err
		},
	}
	fs := c.Flags()
	fs.StringVarP(&output, "output", "o", "", "the file to write")
	fs.StringVar(&regression, "contacts", "", "file of the contact regression")
	fs.BoolVar(&force, "force", false, "replace an existing file")
	fs.BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return c
}
