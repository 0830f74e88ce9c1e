using System.Text.RegularExpressions;
using Xunit;

namespace BlockRepl.Tidy.Tests;

/// <summary>What every source file keeps to.</summary>
public sealed partial class RepositoryTests
{
    private const int LongestLine = 120;
    private const int LongestFunction = 70;
    private const int LongestFile = 700;

    [Fact]
    public void Lines_of_code_are_not_too_long() =>
        AssertNone(
            from file in SourceTree.Code
            from line in Enumerable.Range(0, file.Lines.Length)
            where file.Lines[line].Length > LongestLine
            select $"{file.Path}:{line + 1}: {file.Lines[line].Length} columns");

    [Fact]
    public void Functions_fit_a_screen() =>
        AssertNone(
            from file in SourceTree.WithExtension(".cs", ".c", ".h")
            from body in Functions.Find(file)
            where body.LineCount > LongestFunction
            select $"{file.Path}:{body.FirstLine}: {body.LineCount} lines: {body.Heading}");

    [Fact]
    public void Files_stay_short() =>
        AssertNone(
            from file in SourceTree.Code
            where file.Lines.Length > LongestFile
            select $"{file.Path}: {file.Lines.Length} lines");

    [Fact]
    public void Text_is_clean_utf8_with_unix_line_ends() =>
        AssertNone(
            from file in SourceTree.Files
            from problem in TextProblems(file)
            select $"{file.Path}: {problem}");

    [Fact]
    public void Nothing_is_left_to_do_in_a_comment() => AssertNoMatch(SourceTree.Code, UnfinishedWork());

    [Fact]
    public void The_product_has_no_stubs() =>
        AssertNoMatch(SourceTree.Code.Where(file => file.IsIn("src") || file.IsIn("native")), Stub());

    [Fact]
    public void Code_has_no_regions_and_no_async_void() =>
        AssertNoMatch(SourceTree.WithExtension(".cs"), UnwantedCode());

    [Fact]
    public void Text_refers_to_no_ticket_numbers() => AssertNoMatch(SourceTree.Files, TicketNumber());

    [Fact]
    public void Text_names_no_folder_that_a_stranger_lacks() =>
        AssertNone(
            from file in SourceTree.Files
            from line in Enumerable.Range(0, file.Lines.Length)
            from Match match in AbsolutePath().Matches(file.Lines[line])
            where !SystemFolders.Contains(match.Groups[1].Value)
            select $"{file.Path}:{line + 1}: /{match.Groups[1].Value}");

    [Fact]
    public void Unsafe_code_is_in_the_platform_assembly_only() =>
        AssertNone(
            from file in SourceTree.WithExtension(".csproj")
            where file.Text.Contains("AllowUnsafeBlocks", StringComparison.Ordinal)
            where file.IsIn("src") && !file.IsIn("src/BlockRepl.Platform")
            select file.Path);

    [Fact]
    public void Public_types_of_the_product_say_what_they_are() =>
        AssertNone(
            from file in SourceTree.WithExtension(".cs")
            where file.IsIn("src")
            from line in Enumerable.Range(0, file.Lines.Length)
            where PublicType().IsMatch(file.Lines[line]) && !HasSummary(file.Lines, line)
            where !file.Lines[line].Contains(" partial ", StringComparison.Ordinal)
            select $"{file.Path}:{line + 1}: {file.Lines[line]}");

    [Fact]
    public void Every_source_assembly_has_a_readme_of_a_screen() =>
        AssertNone(
            from project in SourceTree.WithExtension(".csproj")
            where project.IsIn("src")
            let readme = Path.Combine(Path.GetDirectoryName(project.Path)!, "README.md")
            let file = SourceTree.Files.FirstOrDefault(f => f.Path == readme)
            where file is null || file.Lines.Length > 60
            select readme);

    [Fact]
    public void Every_project_is_part_of_the_solution_and_says_its_purpose()
    {
        string solution = File.ReadAllText(Path.Combine(SourceTree.Root, "BlockRepl.sln")).Replace('\\', '/');
        AssertNone(
            from project in SourceTree.WithExtension(".csproj")
            where !project.Path.StartsWith("tools/aotsmoke/", StringComparison.Ordinal)
            where !solution.Contains($"\"{project.Path}\"", StringComparison.Ordinal)
                || (project.IsIn("src") && !project.Text.Contains("<!--", StringComparison.Ordinal))
            select project.Path);
    }

    private static readonly string[] SystemFolders =
        ["bin", "boot", "dev", "etc", "home", "lib", "mnt", "proc", "run", "sbin", "srv", "sys", "tmp", "usr", "var"];

    private static IEnumerable<string> TextProblems(SourceFile file)
    {
        if (file.Text.Contains('\r') && file.Path != "BlockRepl.sln")
        {
            yield return "carriage return";
        }

        if (file.Text.Contains('\uFFFD'))
        {
            yield return "not UTF-8";
        }

        if (file.Text.Length > 0 && !file.Text.EndsWith('\n') && file.Path != "BlockRepl.sln")
        {
            yield return "no newline at the end";
        }

        if (file.Path != "BlockRepl.sln" && file.Text.Contains('\t'))
        {
            yield return "tab";
        }

        if (file.Extension != ".md" && Array.FindIndex(file.Lines, l => l.EndsWith(' ')) is >= 0 and int line)
        {
            yield return $"blank at the end of line {line + 1}";
        }
    }

    private static bool HasSummary(string[] lines, int line)
    {
        do
        {
            line--;
        }
        while (line > 0 && lines[line].TrimStart().StartsWith('['));

        return line >= 0 && lines[line].TrimStart().StartsWith("///", StringComparison.Ordinal);
    }

    private static void AssertNoMatch(IEnumerable<SourceFile> files, Regex pattern) =>
        AssertNone(
            from file in files
            where !file.IsIn("tests/BlockRepl.Tidy.Tests")
            from line in Enumerable.Range(0, file.Lines.Length)
            where pattern.IsMatch(file.Lines[line])
            select $"{file.Path}:{line + 1}: {file.Lines[line].Trim()}");

    private static void AssertNone(IEnumerable<string> violations)
    {
        var list = violations.ToList();
        Assert.True(list.Count == 0, $"{list.Count} violations:\n" + string.Join('\n', list));
    }

    [GeneratedRegex(@"\b(TODO|FIXME|XXX|HACK)\b")]
    private static partial Regex UnfinishedWork();

    [GeneratedRegex(
        @"\b(NotImplementedException|stubs?|placeholders?|not (yet )?implemented)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Stub();

    [GeneratedRegex(@"#region|\basync void\b")]
    private static partial Regex UnwantedCode();

    [GeneratedRegex(@"\b(issue|ticket|bug) #?\d+\b", RegexOptions.IgnoreCase)]
    private static partial Regex TicketNumber();

    [GeneratedRegex(@"(?<=^|[\s""'`(=])/([a-z][a-z0-9_-]*)(?=/[a-z])")]
    private static partial Regex AbsolutePath();

    [GeneratedRegex(@"^public .*\b(class|struct|record|enum|interface) \w")]
    private static partial Regex PublicType();
}
