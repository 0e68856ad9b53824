// The script of a report page. Each block that needs a script has an element
// with a class of its own; everything else on the page stands without it.

import { choices } from "./choice";
import { curves } from "./curves";
import { examples } from "./examples";
import { maps } from "./headgrid";
import { saving } from "./save";
import { startAll, whenSeen } from "./stage";
import { structures } from "./structure";
import { tables } from "./table";
import { theme } from "./theme";
import { timelines } from "./timeline";
import { tracks } from "./tracks";
import { volumes } from "./volume";

document.documentElement.classList.add("js");
theme();
tables();
choices();
examples();
saving();
whenSeen(".maps", maps);
whenSeen(".curves", curves);
whenSeen(".tracks", tracks);
whenSeen(".timeline", timelines);
whenSeen(".volume", volumes);
whenSeen(".structure", structures);
startAll();
