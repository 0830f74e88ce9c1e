using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Reads the main file and follows its includes; each file once.</summary>
internal sealed class FileLoader(IConfigurationFiles files, ConfigurationSyntax syntax)
{
    /// <summary>Deeper nesting of includes is a mistake, and would be recursion here.</summary>
    private const int DeepestInclude = 32;

    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly List<PlacedText> _resPatterns = [];
    private int _depth;
    private int _characters;

    public void LoadMain(string path)
    {
        ConfigurationFile file = files.Open(path, out string reason) ?? throw new ConfigurationException(
            new SourcePosition(path, 1),
            $"the configuration cannot be read: {reason}. Create it, "
            + "or name another with --config FILE or BLOCKREPL_CONFIG.");
        Load(file);
        if (syntax.Resources.Count == 0)
        {
            LoadFilesWithoutResSuffix();
        }
    }

    /// <summary>
    /// The usual drbd.conf includes drbd.d/*.res only; people write r0.conf all the same. Without any resource these
    /// files are read too.
    /// </summary>
    private void LoadFilesWithoutResSuffix()
    {
        foreach (PlacedText pattern in _resPatterns.ToArray())
        {
            string other = Path.ChangeExtension(pattern.Text, ".conf");
            foreach (string path in Match(other, pattern.Position))
            {
                int before = syntax.Resources.Count;
                LoadIfNew(path, pattern, mustExist: false);
                if (syntax.Resources.Count > before)
                {
                    syntax.Warnings.Add(
                        $"{pattern.Position}: {path} is not included here (only *.res is), but was read because no "
                        + "other file has a resource. Rename it to end in .res, or add an include for it.");
                }
            }
        }
    }

    private void Load(ConfigurationFile file)
    {
        _characters += file.Text.Length;
        if (_characters > ConfigurationLimits.Characters)
        {
            throw new ConfigurationException(
                new SourcePosition(file.Path, 1),
                $"with this file there are more than {ConfigurationLimits.Characters} characters; "
                + "is it a configuration?");
        }

        _read.Add(file.Identity);
        _depth++;
        string directory = DirectoryOf(file.Path);
        new FileParser(new Lexer(file.Path, file.Text), syntax).Parse(pattern => Include(directory, pattern));
        _depth--;
    }

    private void Include(string directory, PlacedText pattern)
    {
        if (_depth >= DeepestInclude)
        {
            throw new ConfigurationException(
                pattern.Position, $"includes are nested more than {DeepestInclude} deep; put the files side by side.");
        }

        string path = pattern.Text.StartsWith('/') || directory.Length == 0
            ? pattern.Text
            : $"{directory}/{pattern.Text}";
        if (!GlobPattern.HasWildcards(path))
        {
            LoadIfNew(path, pattern, mustExist: true);
            return;
        }

        if (path.EndsWith(".res", StringComparison.Ordinal))
        {
            _resPatterns.Add(new PlacedText(path, pattern.Position));
        }

        foreach (string match in Match(path, pattern.Position))
        {
            LoadIfNew(match, pattern, mustExist: false);
        }
    }

    /// <summary>The files that a pattern means, sorted; wildcards may be in any part of the path.</summary>
    private IEnumerable<string> Match(string pattern, SourcePosition position)
    {
        string[] parts = pattern.Split('/');
        List<string> found = [""];
        for (int i = 0; i < parts.Length; i++)
        {
            bool last = i == parts.Length - 1;
            string separator = i == 0 ? "" : "/";
            found = [.. found.SelectMany(start => !last && !GlobPattern.HasWildcards(parts[i])
                ? [start + separator + parts[i]]
                : Names(start + separator, last)
                    .Where(name => GlobPattern.IsMatch(parts[i], name))
                    .Select(name => start + separator + name))];
            if (found.Count > ConfigurationLimits.Files)
            {
                throw new ConfigurationException(
                    position, $"the pattern means more than {ConfigurationLimits.Files} files or directories.");
            }
        }

        return found.Order(StringComparer.Ordinal);
    }

    private IReadOnlyList<string> Names(string directory, bool ofFiles)
    {
        string path = directory switch { "" => ".", "/" => "/", _ => directory[..^1] };
        return ofFiles ? files.List(path) : files.Folders(path);
    }

    private void LoadIfNew(string path, PlacedText include, bool mustExist)
    {
        ConfigurationFile? file = files.Open(path, out string reason);
        if (file is null)
        {
            string problem = $"the included file {path} cannot be read: {reason}.";
            if (mustExist)
            {
                throw new ConfigurationException(include.Position, problem + " Create it or remove the include.");
            }

            syntax.Warnings.Add($"{include.Position}: {problem}");
            return;
        }

        if (_read.Contains(file.Identity))
        {
            return;
        }

        if (_read.Count == ConfigurationLimits.Files)
        {
            throw new ConfigurationException(
                include.Position, $"more than {ConfigurationLimits.Files} files are included.");
        }

        Load(file);
    }

    private static string DirectoryOf(string path)
    {
        int slash = path.LastIndexOf('/');
        return slash < 0 ? "" : slash == 0 ? "/" : path[..slash];
    }
}
