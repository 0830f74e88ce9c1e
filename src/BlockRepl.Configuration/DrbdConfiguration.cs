using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration;

/// <summary>
/// A configuration as its files give it, for all nodes. <see cref="ForNode"/> says what it means on one of them.
/// </summary>
public sealed class DrbdConfiguration
{
    private readonly ConfigurationSyntax _syntax;
    private readonly string _path;

    private DrbdConfiguration(string path, ConfigurationSyntax syntax)
    {
        _path = path;
        _syntax = syntax;
    }

    /// <summary>Reads a drbd.conf and what it includes.</summary>
    /// <exception cref="ConfigurationException">A file cannot be read or understood.</exception>
    public static DrbdConfiguration Read(string path, IConfigurationFiles files)
    {
        var syntax = new ConfigurationSyntax();
        new FileLoader(files, syntax).LoadMain(path);
        new HostCompletion(syntax).Run();
        new ConfigurationChecks(syntax).Run();
        return new DrbdConfiguration(path, syntax);
    }

    /// <summary>Remarks that do not make the configuration unusable, each beginning with <c>FILE:LINE: </c>.</summary>
    public IReadOnlyList<string> Warnings => _syntax.Warnings;

    /// <summary>The main file, as it was named.</summary>
    internal string Path => _path;

    internal ConfigurationSyntax Syntax => _syntax;

    /// <summary>What one node has to do.</summary>
    /// <param name="node">Its name, as <c>uname -n</c> prints it.</param>
    /// <param name="hasAddress">Whether it has an IP address: finds its own one of 'floating' sections.</param>
    /// <exception cref="ConfigurationException">An option of one of this node's resources has a value that is none, or
    /// contradicts another.</exception>
    public NodeConfiguration ForNode(string node, Func<string, bool>? hasAddress = null) =>
        new NodeResolver(_path, _syntax, node, hasAddress).Resolve();
}
