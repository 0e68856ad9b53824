package run

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"heed/checkpoint"
	"heed/format/torch"
	"heed/internal/cli"
)

// An Info says what a file of weights holds.
type Info struct {
	File   string           `json:"file"`
	Layout string           `json:"layout"` // "safetensors" or "torch"
	Heed   *checkpoint.Info `json:"heed,omitempty"`
	Values int64            `json:"values"`
	SHA256 string           `json:"sha256,omitempty"`
	Arrays []ArrayInfo      `json:"arrays"`
}

// An ArrayInfo is one array of a file.
type ArrayInfo struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
}

// Describe reads what a file of weights says about itself. Only if hash is set
// are values read.
func Describe(path string, hash bool) (*Info, error) {
	is, err := isTorch(path)
	if err != nil {
		return nil, err
	}
	if is {
		if hash {
			return nil, cli.Usagef("--hash wants a safetensors file: heed model import makes one")
		}
		return describeTorch(path)
	}
	i := &Info{File: path, Layout: "safetensors"}
	h, err := checkpoint.LoadHeader(path)
	if err != nil {
		return nil, err
	}
	if h.Meta["heed"] != "" {
		if i.Heed, err = h.Info(""); err != nil {
			return nil, err
		}
	}
	for _, a := range h.Arrays {
		i.Values += a.Bytes / int64(a.DType.Size())
		i.Arrays = append(i.Arrays, ArrayInfo{a.Name, string(a.DType), append([]int{}, a.Shape...)})
	}
	if hash {
		f, err := checkpoint.Load(path)
		if err != nil {
			return nil, err
		}
		if i.SHA256, err = checkpoint.Hash(f.Entries); err != nil {
			return nil, err
		}
	}
	return i, nil
}

func describeTorch(path string) (*Info, error) {
	f, err := torch.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	i := &Info{File: path, Layout: "torch"}
	i.walk("", f.Root, 4)
	return i, nil
}

// walk lists the arrays of dictionaries within dictionaries, a few levels deep.
func (i *Info) walk(name string, v any, depth int) {
	switch v := v.(type) {
	case *torch.Tensor:
		i.Values += int64(v.Len())
		i.Arrays = append(i.Arrays, ArrayInfo{name, string(v.DType), append([]int{}, v.Shape...)})
	case *torch.Dict:
		for k, x := range v.Values {
			key, ok := v.Keys[k].(string)
			if !ok || depth == 0 || len(i.Arrays) == torch.MaxEntries {
				continue
			}
			if name != "" {
				key = name + "/" + key
			}
			i.walk(key, x, depth-1)
		}
	}
}

// short returns the beginning of a text for people; --json prints the whole.
func short(text []byte) string {
	const most = 200
	if len(text) <= most {
		return string(text)
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(string(text[:most]), ""), len(text))
}

func infoCommand() *cobra.Command {
	var hash, asJSON, arrays bool
	c := &cobra.Command{
		Use:   "info FILE",
		Short: "Say what a file of weights holds",
		Long: `Say what a file of weights holds: one that heed wrote, any safetensors file, or a
file of PyTorch. Values are not read, but for --hash.`,
		Args: one("the file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := Describe(args[0], hash)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				e := json.NewEncoder(w)
				e.SetIndent("", "  ")
				return e.Encode(i)
			}
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "layout\t%s\n", i.Layout)
			if h := i.Heed; h != nil {
				fmt.Fprintf(t, "architecture\t%s\nconfig\t%s\n", h.Architecture, h.Config)
				if len(h.Tokenizer) > 0 {
					fmt.Fprintf(t, "tokenizer\t%s\n", short(h.Tokenizer))
				}
				if len(h.Preprocessing) > 0 {
					fmt.Fprintf(t, "preprocessing\t%s\n", h.Preprocessing)
				}
				fmt.Fprintf(t, "written by\theed %s, %s\n", h.Heed, h.Go)
			}
			fmt.Fprintf(t, "arrays\t%d of %d values\n", len(i.Arrays), i.Values)
			if i.SHA256 != "" {
				fmt.Fprintf(t, "weights sha256\t%s\n", i.SHA256)
			}
			if arrays {
				for _, a := range i.Arrays {
					fmt.Fprintf(t, "%s\t%s %v\n", a.Name, a.Type, a.Shape)
				}
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&hash, "hash", false, "read the values and print the hash of the weights")
	c.Flags().BoolVar(&arrays, "arrays", false, "list the arrays")
	c.Flags().BoolVar(&asJSON, "json", false, "print everything as JSON")
	return c
}
