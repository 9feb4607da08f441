package main

// person is a part of a name and how it is written in an e-mail address.
type person struct{ name, ascii string }

// The names are common ones of many languages, put together at random. They
// stand for nobody.
var given = []person{
	{"Ada", "ada"}, {"Amir", "amir"}, {"Ana", "ana"}, {"André", "andre"}, {"Anh", "anh"},
	{"Ayşe", "ayse"}, {"Beatriz", "beatriz"}, {"Benedikt", "benedikt"}, {"Carlos", "carlos"}, {"Chloé", "chloe"},
	{"Dana", "dana"}, {"Đorđe", "djordje"}, {"Elif", "elif"}, {"Emma", "emma"}, {"Fatima", "fatima"},
	{"François", "francois"}, {"Grace", "grace"}, {"Hana", "hana"}, {"Henry", "henry"}, {"Ingrid", "ingrid"},
	{"Isabel", "isabel"}, {"Iván", "ivan"}, {"James", "james"}, {"Jonas", "jonas"}, {"José", "jose"},
	{"Karim", "karim"}, {"Kateřina", "katerina"}, {"Kofi", "kofi"}, {"Leila", "leila"}, {"Liam", "liam"},
	{"Łucja", "lucja"}, {"Luis", "luis"}, {"Mai", "mai"}, {"Marek", "marek"}, {"María", "maria"},
	{"Mateo", "mateo"}, {"Mia", "mia"}, {"Nadia", "nadia"}, {"Naïma", "naima"}, {"Noah", "noah"},
	{"Ngozi", "ngozi"}, {"Olga", "olga"}, {"Oskar", "oskar"}, {"Paulo", "paulo"}, {"Priya", "priya"},
	{"Rosa", "rosa"}, {"Ruth", "ruth"}, {"Samuel", "samuel"}, {"Sara", "sara"}, {"Søren", "soren"},
	{"Tariq", "tariq"}, {"Thérèse", "therese"}, {"Thomas", "thomas"}, {"Umar", "umar"}, {"Vera", "vera"},
	{"Wanjiru", "wanjiru"}, {"William", "william"}, {"Yusuf", "yusuf"}, {"Zoë", "zoe"}, {"Zuzana", "zuzana"},
	{"Åsa", "asa"},
}

var family = []person{
	{"Abebe", "abebe"}, {"Adeyemi", "adeyemi"}, {"Ahmadi", "ahmadi"}, {"Andersson", "andersson"}, {"Baker", "baker"},
	{"Banerjee", "banerjee"}, {"Bauer", "bauer"}, {"Brown", "brown"}, {"Çelik", "celik"}, {"Chávez", "chavez"},
	{"Clarke", "clarke"}, {"Costa", "costa"}, {"Dąbrowska", "dabrowska"}, {"Davis", "davis"}, {"Diallo", "diallo"},
	{"Dvořák", "dvorak"}, {"Eriksen", "eriksen"}, {"Evans", "evans"}, {"Fischer", "fischer"}, {"Flores", "flores"},
	{"García Ruiz", "garcia.ruiz"}, {"Gomes", "gomes"}, {"Green", "green"}, {"Gupta", "gupta"}, {"Haddad", "haddad"},
	{"Harris", "harris"}, {"Hernández", "hernandez"}, {"Hughes", "hughes"}, {"Ivanova", "ivanova"}, {"Jackson", "jackson"},
	{"Johansen", "johansen"}, {"Jones", "jones"}, {"Kamau", "kamau"}, {"Kaya", "kaya"}, {"Khan", "khan"},
	{"Kim", "kim"}, {"Kowalski", "kowalski"}, {"Kruger", "kruger"}, {"Lefèvre", "lefevre"}, {"Lewis", "lewis"},
	{"Lindqvist", "lindqvist"}, {"López", "lopez"}, {"Martin", "martin"}, {"Mendoza", "mendoza"}, {"Miller", "miller"},
	{"Müller", "mueller"}, {"Mwangi", "mwangi"}, {"Nguyễn", "nguyen"}, {"Novák", "novak"}, {"O'Brien", "obrien"},
	{"Okafor", "okafor"}, {"Patel", "patel"}, {"Petrović", "petrovic"}, {"Reyes", "reyes"}, {"Roberts", "roberts"},
	{"Rossi", "rossi"}, {"Sánchez", "sanchez"}, {"Silva", "silva"}, {"Smith-Nowak", "smith-nowak"}, {"Tanaka", "tanaka"},
	{"Taylor", "taylor"}, {"Thompson", "thompson"}, {"Tran", "tran"}, {"van den Berg", "vandenberg"}, {"Wilson", "wilson"},
	{"Yılmaz", "yilmaz"}, {"Young", "young"},
}

// scripts are names that state their text, since the order differs.
var scripts = []struct{ text, family, given, ascii string }{
	{"山田 花子", "山田", "花子", "yamada"}, //nolint:gosmopolitan // that is the point
	{"王 小明", "王", "小明", "wang.xm"},  //nolint:gosmopolitan // the same
	{"김 서연", "김", "서연", "kim.sy"},
	{"Мария Иванова", "Иванова", "Мария", "m.ivanova"},
	{"Ελένη Παπαδοπούλου", "Παπαδοπούλου", "Ελένη", "eleni.p"},
	{"فاطمة حداد", "حداد", "فاطمة", "f.haddad"},
}

// Domains that are reserved for documentation (RFC 2606), two of them
// internationalized.
var domains = []string{"example.com", "example.org", "example.net", "mail.example", "example.com", "post.example", "bücher.example"}

var practitioners = []string{
	"Dr. M. Adler", "Dr. R. Bose", "Dr. L. Cruz", "Dr. S. Demir", "Dr. P. Ekberg", "Dr. T. Farah", "Dr. C. Gallo", "Dr. K. Hoang",
	"Dr. A. Idris", "Dr. N. Jansen", "Dr. F. Keita", "Dr. D. Laurent", "Dr. O. Marsh", "Dr. E. Neri", "Dr. J. Ortiz", "Dr. B. Pham",
}

var locations = []string{
	"Main building, ground floor, desk A", "Main building, first floor, desk B", "River house, desk C",
}

var services = []string{
	"General practice", "Cardiology follow-up", "Physiotherapy", "Laboratory", "Diabetes review", "Vaccination", "Psychotherapy", "Oncology",
}
