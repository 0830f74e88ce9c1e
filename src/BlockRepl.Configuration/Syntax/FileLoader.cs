using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Reads the main file and follows its includes; each file once.</summary>
internal sealed class FileLoader(IConfigurationFiles files, ConfigurationSyntax syntax)
{
    /// <summary>Deeper nesting of includes is a mistake, and would be recursion here.</summary>
    private const int DeepestInclude = 32;

    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly List<(string Directory, SourcePosition Position)> _resDirectories = [];
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
        foreach ((string directory, SourcePosition position) in _resDirectories.ToArray())
        {
            foreach (string path in Match(directory, "*.conf"))
            {
                int before = syntax.Resources.Count;
                LoadIfNew(path, new PlacedText(path, position), mustExist: false);
                if (syntax.Resources.Count > before)
                {
                    syntax.Warnings.Add(
                        $"{position}: {path} is not included here (only *.res is), but was read because no other file "
                        + "has a resource. Rename it to end in .res, or add an include for it.");
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
        string target = DirectoryOf(path);
        string name = path[(path.LastIndexOf('/') + 1)..];
        if (GlobPattern.HasWildcards(target))
        {
            throw new ConfigurationException(
                pattern.Position,
                $"include \"{OptionReader.Shorten(pattern.Text)}\": wildcards are supported in the file's name only, "
                + "not in a directory's.");
        }

        if (!GlobPattern.HasWildcards(name))
        {
            LoadIfNew(path, pattern, mustExist: true);
            return;
        }

        if (name.EndsWith(".res", StringComparison.Ordinal))
        {
            _resDirectories.Add((target, pattern.Position));
        }

        foreach (string match in Match(target, name))
        {
            LoadIfNew(match, pattern, mustExist: false);
        }
    }

    private IEnumerable<string> Match(string directory, string pattern) =>
        files.List(directory.Length == 0 ? "." : directory)
            .Where(name => GlobPattern.IsMatch(pattern, name))
            .Order(StringComparer.Ordinal)
            .Select(name => directory.Length == 0 ? name : $"{directory}/{name}");

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
