package ddpm.report;

import ddpm.io.WholeFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/** One self-contained page about a run: pictures and plots are inside, nothing is fetched from anywhere. */
public final class HtmlReport {
    private static final String STYLE = """
            :root{--paper:#fbfaf7;--ink:#22262c;--soft:#6a7078;--line:#e3e0d8;--card:#fff}
            @media(prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e6e8ea;--soft:#979ea6;--line:#2b2f34;--card:#1c1f23}}
            *{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
            font:16px/1.55 system-ui,sans-serif}main{max-width:960px;margin:0 auto;padding:40px 20px 80px}
            h1{font-size:28px;margin:0 0 4px}h2{font-size:19px;margin:44px 0 12px}p{margin:0 0 12px}
            .soft{color:var(--soft)}figure{margin:0 0 20px}figcaption{color:var(--soft);font-size:14px;margin-top:6px}
            img{max-width:100%;height:auto;image-rendering:pixelated;border-radius:6px;border:1px solid var(--line)}
            svg{width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:6px}
            .row{display:flex;flex-wrap:wrap;gap:16px}.row figure{flex:1 1 200px;max-width:300px}
            .facts{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}.facts div{background:var(--card);
            border:1px solid var(--line);border-radius:6px;padding:10px 16px;flex:1 1 130px}
            .facts b{display:block;font-size:20px}.facts span{color:var(--soft);font-size:13px}
            table{border-collapse:collapse;width:100%;font-size:14px}td{padding:5px 10px 5px 0;border-top:1px solid var(--line);
            vertical-align:top}td:first-child{color:var(--soft);white-space:nowrap}
            pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:12px 14px;overflow-x:auto;font-size:13px}
            details summary{cursor:pointer;color:var(--soft)}
            """;

    private final StringBuilder body = new StringBuilder();

    public HtmlReport(String title, String subtitle) {
        body.append("<h1>")
                .append(escape(title))
                .append("</h1><p class=\"soft\">")
                .append(escape(subtitle));
        body.append("</p>");
    }

    /** The few numbers that matter most. */
    public HtmlReport facts(Map<String, String> facts) {
        body.append("<div class=\"facts\">");
        facts.forEach((name, value) -> body.append("<div><b>")
                .append(escape(value))
                .append("</b><span>")
                .append(escape(name))
                .append("</span></div>"));
        body.append("</div>");
        return this;
    }

    public HtmlReport heading(String text) {
        body.append("<h2>").append(escape(text)).append("</h2>");
        return this;
    }

    public HtmlReport plot(LinePlot plot) {
        body.append("<figure>").append(plot.toSvg()).append("</figure>");
        return this;
    }

    /** A picture file, with what it shows; a file that is not there is left out. */
    public HtmlReport image(Path file, String caption) throws IOException {
        if (Files.exists(file)) body.append(figure(file, caption));
        return this;
    }

    /** Several picture files side by side. */
    public HtmlReport row(List<Path> files, List<String> captions) throws IOException {
        List<String> figures = new ArrayList<>();
        for (int i = 0; i < files.size(); i++) figures.add(figure(files.get(i), captions.get(i)));
        body.append("<div class=\"row\">").append(String.join("", figures)).append("</div>");
        return this;
    }

    private static String figure(Path file, String caption) throws IOException {
        String type = file.toString().endsWith(".gif") ? "image/gif" : "image/png";
        String data = Base64.getEncoder().encodeToString(Files.readAllBytes(file));
        return "<figure><img alt=\"" + escape(caption) + "\" src=\"data:" + type + ";base64," + data + "\"><figcaption>"
                + escape(caption) + "</figcaption></figure>";
    }

    public HtmlReport table(String summary, Map<String, ?> rows) {
        body.append("<details><summary>").append(escape(summary)).append("</summary><table>");
        rows.forEach((name, value) -> body.append("<tr><td>")
                .append(escape(name))
                .append("</td><td>")
                .append(escape(String.valueOf(value)))
                .append("</td></tr>"));
        body.append("</table></details>");
        return this;
    }

    /** Lines to be copied into a terminal. */
    public HtmlReport commands(String... lines) {
        body.append("<pre>").append(escape(String.join("\n", lines))).append("</pre>");
        return this;
    }

    /** Writes the page, whole or not at all. */
    public void write(Path file, String title) throws IOException {
        String page = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                + "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>" + escape(title)
                + "</title><style>" + STYLE + "</style></head><body><main>" + body + "</main></body></html>\n";
        WholeFile.write(file, page.getBytes(StandardCharsets.UTF_8));
    }

    static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
