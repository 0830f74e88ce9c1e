using System.Text.RegularExpressions;

namespace BlockRepl.Tidy.Tests;

/// <summary>
/// Finds the braced bodies in C# and C by their indentation: an opening brace alone on its line and the closing brace
/// at the same column. Good enough for sources that the formatter keeps in shape, and it needs no parser.
/// </summary>
public static partial class Functions
{
    /// <summary>A body and the count of lines from its heading to its closing brace.</summary>
    public readonly record struct Body(int FirstLine, int LineCount, string Heading);

    public static IEnumerable<Body> Find(SourceFile file)
    {
        for (int line = 1; line < file.Lines.Length; line++)
        {
            if (file.Lines[line].Trim() != "{")
            {
                continue;
            }

            int heading = HeadingOf(file.Lines, line);
            string text = string.Join(' ', file.Lines[heading..line].Select(l => l.Trim()));
            int end = EndOf(file.Lines, line);
            if (!IsContainerOrTable().IsMatch(text))
            {
                yield return new Body(heading + 1, end - heading + 1, text);
            }
        }
    }

    /// <summary>The heading may be spread over lines: go up to the line that is indented as the brace is.</summary>
    private static int HeadingOf(string[] lines, int brace)
    {
        int indent = Indent(lines[brace]);
        int line = brace - 1;
        while (line > 0 && (Indent(lines[line]) > indent || lines[line].Trim().Length == 0))
        {
            line--;
        }

        return line;
    }

    private static int EndOf(string[] lines, int brace)
    {
        int indent = Indent(lines[brace]);
        for (int line = brace + 1; line < lines.Length; line++)
        {
            if (lines[line].TrimStart().StartsWith('}') && Indent(lines[line]) == indent)
            {
                return line;
            }
        }

        return lines.Length - 1;
    }

    private static int Indent(string line) => line.Length - line.TrimStart().Length;

    [GeneratedRegex(
        @"\b(class|struct|interface|enum|record|namespace|union|extern ""C"")\b|=\s*$|\bnew\b[^()]*(\(\))?$")]
    private static partial Regex IsContainerOrTable();
}
