"""What infra/gcloud-deploy.sh does not do: bad arguments, and a Google that says no."""

import shutil
import subprocess

import pytest

from tests.google_cloud.resources import GoogleError
from tests.google_cloud.script import PROJECT, SCRIPT, empty_project, run_script
from tests.google_cloud.stand_in import Break, GoogleCloud

GOOD = {"--project": "acme-rally-mcp", "--rally-client-id": "rally-client"}


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"--project": ""}, "--project is missing: the id of a Google Cloud project"),
        ({"--project": "123456789012"}, "--project must be a project's id, such as acme"),
        ({"--rally-client-id": ""}, "register an OAuth client at Rally"),
        ({"--region": "us-central1-a"}, "must be a region, such as europe-west1"),
        ({"--name-prefix": "dev"}, "must end in a hyphen"),
        ({"--upstreams": "rally,jira"}, "with commas between them, not 'rally,jira'"),
        ({"--upstreams": "rally github"}, "with commas between them, not 'rally github'"),
        ({"--upstreams": "rally\ngithub"}, "with commas between them, not 'rally github'"),
        ({"--upstreams": ", ,"}, "must name one or more of rally"),
        ({"--upstreams": "*"}, "must name one or more of rally"),
        ({"--upstreams": "rally,rally"}, "names rally twice"),
        ({"--upstreams": "rally , github,yata, rally"}, "names rally twice"),
        ({"--upstreams": ""}, "must name one or more of rally"),
        ({"--upstreams": "rally,github"}, "the --settings file needs GITHUB_CLIENT_ID"),
        # A file without settings is one.
        ({"--upstreams": "github", "--settings": "/dev/null"}, "file needs GITHUB_CLIENT_ID"),
        ({"--upstreams": " rally , github "}, "the --settings file needs GITHUB_CLIENT_ID"),
        ({"--alert-email": "platform"}, "must be an e-mail address, not platform"),
        ({"--alert-email": "*@example.com"}, "must be an e-mail address, not *@example.com"),
        ({"--source": "/nowhere/functions.zip"}, "run: make archive"),
        ({"--settings": "/nowhere/settings.yaml"}, "takes flat YAML"),
        ({"--domain": "rally.example.com"}, "no option --domain; --help lists them"),
    ],
)
def test_a_bad_option_is_told_in_one_line_with_its_remedy(archive, changed, remedy):
    options = {"--source": str(archive)} | GOOD | changed

    done = run_script(*(f"{name}={value}" for name, value in options.items()), environment={})

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert remedy in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("READONLY: true", "READONLY is not in docs/settings.md"),
        ("RALLY_CLIENT_SECRET: hunter2", "RALLY_CLIENT_SECRET follows from the options"),
        ("MCP_URL: https://example.com/mcp", "MCP_URL follows from the options"),
        ("TOOLSETS: [stories, defects]", "TOOLSETS must be one line"),
        ("SERVER_NAME:", "SERVER_NAME must be one line"),
        ("SERVER_NAME: >-", "SERVER_NAME must be one line"),
        ("SERVER_NAME: 'it", "SERVER_NAME must be one line"),
        ("SERVER_NAME: ~", "SERVER_NAME must have a value; take the line out"),
        ("SERVER_NAME: null # none", "SERVER_NAME must have a value; take the line out"),
        ("READ_ONLY: false", "READ_ONLY stands there twice"),
        ("  SERVER_NAME: Rally", "without blanks before it:  SERVER_NAME: Rally"),
        ("SERVER_NAME : Rally", "take out the blank before the colon: SERVER_NAME : Rally"),
        ('"SERVER_NAME": Rally', "leave the name without quotes"),
        ("SERVER_NAME=Rally", "SERVER_NAME=Rally is not in the form NAME: value"),
        ("settings:", "settings is not in docs/settings.md"),
    ],
)
def test_a_setting_that_would_not_take_effect_is_refused(archive, tmp_path, text, remedy):
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"READ_ONLY: true\n{text}\n")
    options = {"--source": str(archive), "--settings": str(settings)} | GOOD

    done = run_script(*(f"{name}={value}" for name, value in options.items()), environment={})

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert remedy in done.stderr


def test_a_byte_order_mark_is_refused_by_its_name(archive, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("READ_ONLY: true\n", encoding="utf-8-sig")
    options = {"--source": str(archive), "--settings": str(settings)} | GOOD

    done = run_script(*(f"{name}={value}" for name, value in options.items()), environment={})

    assert done.returncode == 2
    assert done.stderr.endswith("begins with a byte order mark; save it as UTF-8 without one\n")


def test_an_option_without_its_value_is_refused(archive):
    done = run_script("--project", environment={})

    assert done.returncode == 2
    assert done.stderr == "gcloud-deploy.sh: --project needs a value; --help tells which\n"


def test_help_tells_every_option():
    done = run_script("--help", environment={})

    assert done.returncode == 0
    for option in ("--project", "--settings", "--alert-email", "--no-public-invoker"):
        assert f"\n  {option} " in done.stdout
    assert "Give the same ones each time" in done.stdout


def test_an_error_of_google_stops_the_script_with_its_message(gcloud, archive):
    error = GoogleError(403, "PERMISSION_DENIED", "Permission denied to enable service")
    with GoogleCloud(empty_project()) as cloud:
        cloud.break_requests(Break(0, error))
        run = gcloud.deploy(cloud, *(f"{k}={v}" for k, v in GOOD.items()), f"--source={archive}")

    assert run.code == 1
    assert "Permission denied to enable service" in run.messages
    assert "it goes on from here" in run.messages
    assert [request.api for request in run.requests] == ["serviceusage"] * 2
    assert run.output == ""


def test_an_error_while_looking_stops_the_script_too(gcloud, archive):
    others = {"--project": "project-of-others", "--rally-client-id": "rally-client"}
    with GoogleCloud(empty_project()) as cloud:
        run = gcloud.deploy(cloud, *(f"{k}={v}" for k, v in others.items()), f"--source={archive}")

    assert run.code == 1
    assert "does not have permission" in run.messages
    assert run.requests[-1].path == "v1/projects/project-of-others"


def test_the_scripts_keep_to_what_shellcheck_allows():
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not on the PATH")
    checked = subprocess.run(
        ("shellcheck", "--external-sources", SCRIPT),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.stdout == ""
