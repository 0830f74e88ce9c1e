using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>
/// Debian's user-space target on the loopback interface, with a control socket of its own: a LUN of 2 MiB with mutual
/// CHAP, as LUN 1.
/// </summary>
internal sealed class Tgtd : IDisposable
{
    public const string Name = "iqn.2020-01.org.example:disk";
    public const string User = "initiator-user";
    public const string Secret = "initiator secret";
    public const string TargetUser = "target-user";
    public const string TargetSecret = "target secret";

    private readonly string _folder = Directory.CreateTempSubdirectory("blockrepl-tgtd-").FullName;
    private readonly int _sectorSize;
    private Process? _process;

    /// <summary>Skips the test where there is no tgt.</summary>
    public Tgtd(int sectorSize = 512)
    {
        if (Tool.Find("tgtd") is null)
        {
            Assert.Skip("needs tgtd (Debian package tgt)");
        }

        if (Environment.UserName != "root")
        {
            Assert.Skip("needs root: tgtd runs as nobody else");
        }

        _sectorSize = sectorSize;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            Port = ((IPEndPoint)free.LocalEndpoint).Port;
        }

        using (FileStream lun = File.Create(LunFile))
        {
            lun.SetLength(2 << 20);
        }

        Start();
    }

    public int Port { get; }

    public string LunFile => Path.Combine(_folder, "lun");

    /// <summary>Everything that an initiator needs, libiscsi's tools too.</summary>
    public string Url =>
        $"iscsi://{User}%{Secret}@127.0.0.1:{Port}/{Name}/1?target_user={TargetUser}&target_password={TargetSecret}";

    public void Start()
    {
        var start = new ProcessStartInfo(Tool.Find("tgtd")!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        start.Environment["TGT_IPC_SOCKET"] = Path.Combine(_folder, "control");
        string[] options = ["-f", "-C", "0", "--iscsi", $"portal=127.0.0.1:{Port}"];
        foreach (string argument in options)
        {
            start.ArgumentList.Add(argument);
        }

        File.Delete(Path.Combine(_folder, "control.0"));
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Poll.Until(
            () => TryAdminister("--mode", "target", "--op", "show"), "tgtd listens to its control socket", seconds: 60);
        Configure();
    }

    public void Kill()
    {
        _process!.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _process = null;
    }

    public void Signal(string name) =>
        Tool.Run("/bin/kill", "-" + name, _process!.Id.ToString(CultureInfo.InvariantCulture)).OrThrow();

    public void Administer(params string[] arguments) =>
        Assert.True(TryAdminister(arguments), string.Join(' ', arguments));

    public void Dispose()
    {
        if (_process is not null)
        {
            Kill();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private void Configure()
    {
        Administer("--mode", "target", "--op", "new", "--tid", "1", "--targetname", Name);
        Administer(
            "--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1", "--backing-store", LunFile,
            "--blocksize", _sectorSize.ToString(CultureInfo.InvariantCulture));
        Administer("--mode", "account", "--op", "new", "--user", User, "--password", Secret);
        Administer("--mode", "account", "--op", "bind", "--tid", "1", "--user", User);
        Administer("--mode", "account", "--op", "new", "--user", TargetUser, "--password", TargetSecret);
        Administer("--mode", "account", "--op", "bind", "--tid", "1", "--user", TargetUser, "--outgoing");
        Administer("--mode", "target", "--op", "bind", "--tid", "1", "--initiator-address", "ALL");
    }

    private bool TryAdminister(params string[] arguments)
    {
        var start = new ProcessStartInfo(Tool.Find("tgtadm")!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["TGT_IPC_SOCKET"] = Path.Combine(_folder, "control");
        string[] all = ["-C", "0", "--lld", "iscsi", .. arguments];
        foreach (string argument in all)
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
