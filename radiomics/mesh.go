package radiomics

// corners are the corners of a cube of eight voxel centres, as steps along (x, y, z):
// bit i of a cube's code says whether corner i is inside.
var corners = [8][3]int{{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 1}, {1, 1, 1}, {0, 1, 1}}

// edges are the edges of the cube by their corners. A surface cuts an edge in the
// middle.
var edges = [12][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 0}, {4, 5}, {5, 6}, {6, 7}, {7, 4}, {0, 4}, {1, 5}, {2, 6}, {3, 7}}

// triangles are the surfaces within a cube for the codes below 128, three edges (0 to
// 9, a for 10 and b for 11) for each triangle; a code above has those of its
// complement, turned around. These are the cases of marching cubes (Lorensen and Cline,
// 1987) as Bourke tabulated them ("Polygonising a scalar field", 1994), but for cases
// made of two parts that do not touch: each part is cut as it is where it is alone,
// which is what pyradiomics does.
var triangles = [128]string{
	"", "083", "019", "183981", "12a", "08312a", "92a029", "2832a8a98",
	"3b2", "0b28b0", "19023b", "1b219b98b", "3a1ba3", "0a108a8ba", "3903b9ba9", "98aa8b",
	"478", "430734", "019847", "419471731", "12a847", "34730412a", "92a902847", "2a9297273794",
	"8473b2", "b47b24204", "90184723b", "47b94b9b2921", "3a13ba784", "1ba14b1047b4", "4789033b9ba9", "47b4b99ba",
	"954", "954083", "054150", "854835315", "12a954", "30812a495", "52a542402", "2a5325354834",
	"95423b", "0b208b495", "05401523b", "21525828b485", "a3ba13954", "954a1008a8ba", "54050b5bab03", "54858aa8b",
	"978579", "930953573", "078017157", "153357", "978957a12", "12a309395357", "802825857a52", "2a5253357",
	"7957893b2", "95797292027b", "23b018178157", "b21b17715", "958857a13a3b", "5705097b010aba0", "ba0b03a50807570", "ba57b5",
	"a65", "0835a6", "9015a6", "1831985a6", "165261", "165126308", "965906026", "598582526328",
	"23ba65", "b08b20a65", "01923b5a6", "5a6b2119b98b", "63b653513", "08b0b50515b6", "3b6036065059", "65969bb98",
	"5a6478", "43047365a", "1905a6847", "a65194147173", "612651478", "125526304347", "847965906026", "739794329596269",
	"3b27845a6", "5a6b47b24204", "01947823b5a6", "9219b294b7b45a6", "84763b653513", "51b5b610b7b404b", "059065036b63847", "65969b4797b9",
	"a4964a", "4a649a083", "a01a60640", "83181686461a", "149124264", "308149124264", "024426", "832824426",
	"a49a64b23", "08228b49a4a6", "3b201606461a", "64161a48121b8b1", "964936913b63", "8b1810b61914641", "3b6360064", "648b68",
	"7a678a89a", "0730a709a67a", "a671a7178180", "a67a71173", "126168189867", "269291679093739", "780706602", "732672",
	"23b67a78a89a", "20727b09767a9a7", "1801781a767a23b", "b21b17a61671", "896867916b63136", "091b67", "7807063b0b60", "7b6",
}
