package study

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/plot"
)

// tissue asks whether heads share out the tissues of a tumour among themselves.
func tissue() Study {
	return Study{
		Name:  "tissue",
		Title: "Do heads specialise on tissues?",
		Claim: "On tokens of texture, four heads name the tissue (core, rim, healthy) of a volume that was not trained on better than one head of the same size, heads attend to tissues and not to any token, and each head serves a tissue: making its weights equal costs one tissue most.",
		Refuted: "Four heads less than .02 above one in mean recall on the unseen volume; a divergence of attention from the shares of the tissues not above that of shuffled tissues in every seed; no head whose loss costs a tissue .05 of its recall. " +
			"The controls: training on shuffled tissues must not reach .45 (chance .33).",
		Takes: "2 minutes",
		Run:   runTissue,
	}
}

func runTissue(ctx context.Context, l *Lab) (*Finding, error) {
	contenders := []struct {
		name     string
		heads    int
		shuffled bool
	}{{"four heads", 4, false}, {"one head", 1, false}, {"each token alone", 0, false}, {"four heads, tissues shuffled", 4, true}, {"four heads, split by slices (a leak)", 4, false}}
	const leaky = 4
	recall := make([][tissues][]float64, len(contenders)) // by seed, mean of the volumes
	var floor [tissues][]float64
	balanced := make([][]float64, len(contenders))
	byVolume := make([][]float64, 0)
	var names []string
	var index, null, most []float64
	var attended []headTissues // of the first seed, by volume
	var lost [][]([tissues]float64)
	made := l.Volumes == ""
	var counts []string
	for k := range l.Seeds {
		seed := l.Seed + uint64(k)
		volumes := madeTissues(rand.New(rand.NewPCG(seed, 40)))
		if !made {
			var err error
			if volumes, err = readTissues(l.Volumes); err != nil {
				return nil, err
			}
		}
		sums := make([][tissues]float64, len(contenders))
		var floors [tissues]float64
		n := float64(len(volumes))
		if byVolume = append(byVolume, nil); k == 0 {
			for _, v := range volumes {
				var c [tissues]int
				for _, t := range v.label {
					if t >= 0 {
						c[t]++
					}
				}
				names = append(names, v.name)
				counts = append(counts, fmt.Sprintf("%s: %d slices, %d tokens of the core, %d of the rim, %d healthy", v.name, v.slices, c[0], c[1], c[2]))
			}
		}
		ix, nl, ms := 0.0, 0.0, 0.0
		for held, test := range volumes {
			training := slices.Delete(slices.Clone(volumes), held, held+1)
			r := rand.New(rand.NewPCG(seed, 42))
			windows := make([]tissueWindow, l.pick(100, 24))
			for i := range windows {
				windows[i] = test.window(false, r)
			}
			for t, v := range nearestTexture(training, windows, 0) {
				floors[t] += v / n
			}
			for i, c := range contenders {
				on := training
				if c.shuffled {
					on = shuffledTissues(training, r)
				}
				seen := windows
				if i == leaky && test.slices > 1 {
					on, seen = []*tissueVolume{test.half(0)}, make([]tissueWindow, len(windows))
					for j := range seen {
						seen[j] = test.half(1).window(false, r)
					}
				}
				m, err := l.fitTissue(ctx, c.heads, on, seed)
				if err != nil {
					return nil, err
				}
				got := m.recalls(seen, -1)
				for t, v := range got {
					sums[i][t] += v / n
				}
				if i > 0 {
					continue
				}
				byVolume[k] = append(byVolume[k], mean(got))
				a := m.attends(windows, l.pick(20, 4), r)
				ix, nl = ix+a.index/n, nl+slices.Max(a.shuffle)/n
				var loss [][tissues]float64
				best := 0.0
				for h := range m.heads {
					without := m.recalls(windows, h)
					var d [tissues]float64
					for t := range d {
						d[t] = got[t] - without[t]
						best = max(best, d[t])
					}
					loss = append(loss, d)
				}
				ms += best / n
				if k == 0 {
					attended, lost = append(attended, a), append(lost, loss)
				}
			}
			l.tell("seed %d: %s held out: recall %.3f", seed, test.name, byVolume[k][held])
		}
		index, null, most = append(index, ix), append(null, nl), append(most, ms)
		for i := range contenders {
			for t, v := range sums[i] {
				recall[i][t] = append(recall[i][t], v)
			}
			balanced[i] = append(balanced[i], mean(sums[i]))
		}
		for t, v := range floors {
			floor[t] = append(floor[t], v)
		}
	}
	f := &Finding{}
	what := "brains with tumours"
	if made {
		what = "made volumes"
	}
	t := Table{Title: fmt.Sprintf("Recall on the volume that was held out, %d %s, mean and range of %d seeds", len(names), what, l.Seeds), Columns: append([]string{"model"}, tissueNames[:]...),
		Notes: append([]string{fmt.Sprintf("Core: within the mask. Rim: up to %g mm outside of it in the slice, a band that is like oedema, which nobody has drawn. Healthy: %g mm or more away. Tokens of %d x %d pixels, %d features of texture, standardised in each volume; windows of %d x %d tokens, no positions.", rimTo, healthyFrom, patchEdge, patchEdge, len(textures), windowEdge, windowEdge),
			"Split by volume: each volume is tested by models that were trained on the others. With two volumes this says little of a third, and the range of seeds nothing of other patients.", "Split by slices: trained on every second slice of the very volume, tested on those between, 6.5 mm away in the brains. This is what a careless split would report.", "Research use only, not a medical device."}, counts...)}
	t.Columns = append(t.Columns, "mean")
	constant := []string{"always healthy (floor)", "0", "0", "1", "0.333"}
	row := []string{"nearest mean brightness (floor)"}
	var floors []float64
	for k := range floor[0] {
		floors = append(floors, (floor[0][k]+floor[1][k]+floor[2][k])/tissues)
	}
	for _, v := range floor {
		row = append(row, interval(overSeeds(v)))
	}
	t.Rows = append(t.Rows, constant, append(row, interval(overSeeds(floors))))
	bars := plot.Bars{Title: "Mean recall of three tissues on the volume that was held out", XLabel: "mean recall (chance .333)", XMax: 1,
		Rows: []plot.Bar{{Name: "always one tissue", Value: 1. / tissues, Origin: plot.Floor}, {Name: "nearest mean brightness", Value: overSeeds(floors).Estimate, Origin: plot.Floor}}}
	for i, c := range contenders {
		row := []string{c.name}
		for _, v := range recall[i] {
			row = append(row, interval(overSeeds(v)))
		}
		v := overSeeds(balanced[i])
		t.Rows = append(t.Rows, append(row, interval(v)))
		bars.Rows = append(bars.Rows, plot.Bar{Name: c.name, Value: v.Estimate, Low: v.Low, High: v.High, Origin: plot.Ours})
	}
	h := Table{Title: "Four heads, first seed: attention within a tissue by what is its share, tokens attended to, and what it costs to make the weights of a head equal", Columns: []string{"held out", "head"},
		Notes: []string{"Attention: from tokens of a tissue to that tissue, by the share of that tissue; 1 if the head does not look at tissues. Tokens: e to the entropy of the weights, of 144; the temperature of the head in standard terms. Cost: recall lost.",
			"The largest of twelve costs is above 0 by chance alone, and where costs are as often below 0 no head serves a tissue: the check on it is a weak one."}}
	for _, n := range tissueNames {
		h.Columns = append(h.Columns, n+", attention", n+", tokens", n+", cost")
	}
	for v, a := range attended {
		for head := range a.mass {
			row := []string{names[v], fmt.Sprint(head + 1)}
			for t := range tissues {
				row = append(row, fmt.Sprintf("%.2f", a.mass[head][t]), fmt.Sprintf("%.1f", a.perplex[head][t]), fmt.Sprintf("%+.3f", lost[v][head][t]))
			}
			h.Rows = append(h.Rows, row)
		}
	}
	f.Tables = []Table{t, h}
	fig, err := bars.Figure()
	if err != nil {
		return nil, err
	}
	f.Figures = []Figure{{Name: "recall", Alt: "Bars of the mean recall of models and floors", Caption: "Mean and range of the seeds, over the volumes.", SVG: fig.SVG()}}
	var above, over, leak []float64
	for k := range balanced[0] {
		above = append(above, balanced[0][k]-balanced[1][k])
		leak = append(leak, balanced[leaky][k]-balanced[0][k])
		over = append(over, index[k]-null[k])
	}
	f.Checks = []Check{
		{Name: "four heads less one, mean recall", Value: overSeeds(above), Bound: 0.02},
		{Name: "divergence of attention less the largest of shuffled tissues", Value: overSeeds(over), Bound: 0},
		{Name: "the most that a head's loss costs a tissue", Value: overSeeds(most), Bound: 0.05},
		{Name: "control: tissues shuffled in training", Value: overSeeds(balanced[3]), Bound: 0.45, Upper: true},
		{Name: "four heads, mean recall", Value: overSeeds(balanced[0]), Bound: 0.5},
	}
	if !made {
		f.Checks = append(f.Checks, Check{Name: "the leak: split by slices less split by volume, mean recall", Value: overSeeds(leak), Bound: 0})
	}
	verdict := "does not hold here"
	if f.Checks[0].Met() {
		verdict = "holds here"
	}
	f.Words = fmt.Sprintf("On %s (%s), mean recall on the volume held out is %.2f with four heads, %.2f with one, %.2f without neighbours and %.2f by brightness alone; that four heads are better than one %s. Attention differs from the shares of the tissues by %.3f nats (shuffled tissues: at most %.3f). A split by slices of one volume would have said %.2f. The loss of a single head costs a tissue up to %.2f of its recall.",
		what, strings.Join(names, ", "), overSeeds(balanced[0]).Estimate, overSeeds(balanced[1]).Estimate, overSeeds(balanced[2]).Estimate, overSeeds(floors).Estimate, verdict, overSeeds(index).Estimate, overSeeds(null).Estimate, overSeeds(balanced[leaky]).Estimate, overSeeds(most).Estimate)
	if !made && overSeeds(floors).Estimate < 1./tissues {
		f.Words += " Brightness does worse than chance: the scans look different, and what was learned on one says little of the other."
	}
	if made {
		f.Words += " Name a folder with real volumes by --volumes."
	}
	return f, nil
}

// shuffledTissues returns volumes in which the tissues of the tokens are shuffled.
func shuffledTissues(volumes []*tissueVolume, r *rand.Rand) []*tissueVolume {
	var out []*tissueVolume
	for _, v := range volumes {
		w := *v
		w.label = slices.Clone(v.label)
		var at []int
		for i, t := range v.label {
			if t >= 0 {
				at = append(at, i)
			}
		}
		r.Shuffle(len(at), func(i, j int) { w.label[at[i]], w.label[at[j]] = w.label[at[j]], w.label[at[i]] })
		out = append(out, &w)
	}
	return out
}
