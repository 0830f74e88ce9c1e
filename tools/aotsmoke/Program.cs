// Uses a little of each library: the configuration, the native library, a loop with a resource that is up and asked.
using BlockRepl.Configuration;
using BlockRepl.Core.Protocol;
using BlockRepl.Engine;
using BlockRepl.Platform.Digests;
using Microsoft.Extensions.Logging.Abstractions;

NodeConfiguration node = DrbdConfiguration.Read("smoke.conf", new OneFile()).ForNode("a");
byte[] digest = new byte[DigestAlgorithm.Md5.Size()];
Digest.Compute(DigestAlgorithm.Md5, "abc"u8, digest);
if (Convert.ToHexString(digest) != "900150983CD24FB0D6963F7D28E17F72")
{
    Console.Error.WriteLine("the MD5 of abc is wrong");
    return 1;
}

using ResourceEngine engine = ResourceEngine.Start(
    new ResourceEngineOptions { Resource = node.Resources[0].Options, Disks = [] }, NullLogger.Instance);
var status = await engine.GetStatusAsync();
Console.WriteLine($"ok: {status.Count} volume of {node.Resources[0].Name}, {Digest.Describe()}");
return 0;

internal sealed class OneFile : IConfigurationFiles
{
    private const string Text =
        """
        resource r0 {
            device /dev/drbd0;
            disk /dev/null;
            meta-disk internal;
            on a { address 127.0.0.1:7788; }
            on b { address 127.0.0.1:7789; }
        }
        """;

    public ConfigurationFile? Open(string path, out string reason)
    {
        reason = "";
        return new ConfigurationFile(path, path, Text);
    }

    public IReadOnlyList<string> List(string directory) => [];

    public IReadOnlyList<string> Folders(string directory) => [];
}
