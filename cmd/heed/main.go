// Command heed trains, runs and explains attention models on a CPU.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"heed/app/bench"
	"heed/app/ct"
	"heed/app/dna"
	"heed/app/ehr"
	"heed/app/protein"
	modelfile "heed/app/run" // run is the program here
	"heed/app/study"
	"heed/format"
	"heed/internal/kernel"
	"heed/internal/par"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes. Those of 64 and above are from BSD's sysexits.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitBadInput    = 65
	exitTryAgain    = 75
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
    0  done
    1  failed
    2  usage: the command line makes no sense
   65  bad input: a file is missing, damaged or not what it should be
   75  try again: the disk is full, say
  130  interrupted; what was under way is saved if there is an output folder`

// run is the program: everything but the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := kernel.Check()
	if err != nil {
		err = usage{err}
	} else {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	text := err.Error()
	if code == exitInterrupted {
		text = "interrupted"
	}
	fmt.Fprintf(stderr, "heed: %s\n", strings.ReplaceAll(text, "\n", "\nheed: "))
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		fmt.Fprintf(stderr, "hint: %s\n", hinted.Hint())
	}
	return code
}

// usage is an error of the command line.
type usage struct{ error }

func (usage) Usage() {}

func exitCode(err error) int {
	var (
		u     interface{ Usage() }
		input *format.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &u):
		return exitUsage
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EAGAIN):
		return exitTryAgain
	case errors.As(err, &input):
		return exitBadInput
	}
	return exitFailed
}

// command returns the tree of commands.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "heed",
		Short:         "Attention models on DNA, proteins, CT volumes and patient timelines, trained and explained on a CPU",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hinted{usage{err}, cmd.CommandPath() + " --help lists the flags"}
	})
	root.AddCommand(dna.QuickstartCommand(version()), dna.Command(version()), protein.Command(version()), ct.Command(version()), ehr.Command(version()), study.Command(version()),
		modelfile.Command(version()), bench.Command(version()), versionCommand())
	root.AddCommand(&cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long:  exitCodes,
	})
	return root
}

type hinted struct {
	error
	text string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) Hint() string  { return h.text }

// noCommand refuses arguments that are no command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted{usage{fmt.Errorf("no command %q", args[0])}, cmd.CommandPath() + " --help lists the commands"}
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and what the program runs on",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "heed %s\ngo %s\nkernel %s\ncores %d\n",
				version(), strings.TrimPrefix(runtime.Version(), "go"), kernel.Active(), par.Cores())
			return err
		},
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage{fmt.Errorf("%s takes no arguments", cmd.CommandPath())}
	}
	return nil
}

// version is that of the module, with the revision if it was built from a
// working tree.
func version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok || b.Main.Version == "" {
		return "(devel)"
	}
	return b.Main.Version
}
